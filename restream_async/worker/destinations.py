"""Events of the platform: a new live video gets one restream for each destination.

A TOML or JSON file lists the destinations:

    [[destinations]]
    title = "YouTube: {title}"            # {videoId}, and the fields of the event's data
    stream_url = "rtmps://a.rtmps.youtube.com/live2"
    stream_key_env = "YOUTUBE_KEY"        # or stream_key_file = "/run/secrets/youtube"
    status = true                         # the default

It holds no stream keys. The platform repeats an event for up to a day until it gets a good answer,
so each restream is created only if it does not exist yet.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import attrs

from restream_async._http import json_values
from restream_async._util.text_files import text_of_file
from restream_async.errors import ConfigurationError, InvalidRestreamError
from restream_async.models import NewRestream, check_identifier
from restream_async.worker.commands import MAX_BYTES

_CREATED: Final = "live.video.created"

_FIELDS: Final = {"title", "stream_url", "stream_key_env", "stream_key_file", "status"}
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class UnusableEventError(ValueError):
    """An event cannot be read, and repeating it does not help; the text repeats no value."""


@attrs.frozen(kw_only=True)
class Destination:
    """A stream that every new live video is restreamed to.

    Attributes:
        title: the title of the restream. `{videoId}`, `{title}` and other texts of the event are
            filled in; a text that the event lacks becomes empty.
        stream_url: the URL to push to.
        stream_key: the secret of the destination.
        status: whether the restream starts active.

    """

    title: str
    stream_url: str = attrs.field(repr=False)
    stream_key: str = attrs.field(repr=False)
    status: bool = True

    def restream(self, video_id: str, data: Mapping[str, object]) -> NewRestream:
        """Return the restream of a live video.

        Raises:
            InvalidRestreamError: a value is not valid, for example the id of the video.

        """
        texts = {name[:1].lower() + name[1:]: value for name, value in data.items()}

        def fill(found: re.Match[str]) -> str:
            value = video_id if found[1] == "videoId" else texts.get(found[1])
            # A title is for people: a missing text is no reason to create nothing.
            return " ".join(value.split()) if isinstance(value, str) else ""

        title = "".join(filter(str.isprintable, _PLACEHOLDER.sub(fill, self.title))).strip()
        return NewRestream(
            video_id=video_id,
            title=title or video_id,
            stream_url=self.stream_url,
            stream_key=self.stream_key,
            status=self.status,
        )


def read_destinations(
    path: Path, environment: Mapping[str, str] = os.environ
) -> tuple[Destination, ...]:
    """Read the destinations from a TOML file, or from a file that ends in `.json`.

    Args:
        path: of the file.
        environment: holds the variables that `stream_key_env` names.

    Raises:
        ConfigurationError: the file cannot be read, or a destination is wrong; the text says which.

    """
    try:
        data = path.read_bytes()
        loaded = (
            json.loads(data) if path.suffix.lower() == ".json" else tomllib.loads(data.decode())
        )
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError as error:
        # Only the line number: the line may hold a key that does not belong there.
        at = re.search(r"line \d+", str(error))
        problem = "it is not TOML or JSON" + (f" at {at[0]}" if at else "")
    else:
        return _destinations(path, loaded, environment)
    raise ConfigurationError(f"the destinations cannot be read from {path}: {problem}")


def restreams_for(data: bytes, destinations: Sequence[Destination]) -> list[NewRestream]:
    """Return the restreams that an event asks for: none, unless it is about a new live video.

    Raises:
        UnusableEventError: it is not an event, or names no video.

    """
    if len(data) > MAX_BYTES:
        raise UnusableEventError("the event is too large")
    try:
        event = json_values.parse(data)
    except json_values.UnreadableError as error:
        problem = str(error)
        event = None
    else:
        problem = "it is not an object with an eventType"
    fields = cast("dict[str, object]", event) if isinstance(event, dict) else {}
    kind = fields.get("eventType")
    if not isinstance(kind, str):
        raise UnusableEventError(f"the event cannot be used: {problem}")
    if kind != _CREATED:
        return []
    about = fields.get("data")
    video = cast("dict[str, object]", about) if isinstance(about, dict) else {}
    try:
        # The documentation has a capital P; other events of the platform have a small one.
        video_id = check_identifier("PublicId", video.get("PublicId", video.get("publicId")))
        return [each.restream(video_id, video) for each in destinations]
    except InvalidRestreamError as error:
        problem = str(error)
    raise UnusableEventError(f"the event cannot be used: {problem}")


def _destinations(
    path: Path, loaded: object, environment: Mapping[str, str]
) -> tuple[Destination, ...]:
    listed: object = loaded
    if isinstance(loaded, dict):
        listed = cast("dict[str, object]", loaded).get("destinations")
    if not isinstance(listed, list) or not listed:
        raise ConfigurationError(f"{path} lists no destinations")
    found: list[Destination] = []
    for number, item in enumerate(cast("list[object]", listed), 1):
        where = f"destination {number} of {path}"
        if not isinstance(item, dict):
            raise ConfigurationError(f"{where} is not a table")
        found.append(_destination(where, cast("dict[str, Any]", item), path.parent, environment))
    return tuple(found)


def _destination(
    where: str, item: dict[str, Any], folder: Path, environment: Mapping[str, str]
) -> Destination:
    if "stream_key" in item:
        raise ConfigurationError(
            f"{where} holds a stream key: name stream_key_env or stream_key_file instead"
        )
    if unknown := sorted(set(item) - _FIELDS):
        raise ConfigurationError(f"{where} has unknown fields: {', '.join(unknown)}")
    destination = Destination(
        title=item.get("title", ""),
        stream_url=item.get("stream_url", ""),
        stream_key=_key(where, item, folder, environment),
        status=item.get("status", True),
    )
    try:
        # Check all values now instead of at the first event.
        NewRestream(
            video_id="v",
            title=destination.title,
            stream_url=destination.stream_url,
            stream_key=destination.stream_key,
            status=destination.status,
        )
    except InvalidRestreamError as error:
        problem = str(error)
    else:
        return destination
    raise ConfigurationError(f"{where}: {problem}")


def _key(where: str, item: dict[str, Any], folder: Path, environment: Mapping[str, str]) -> str:
    variable, file = item.get("stream_key_env"), item.get("stream_key_file")
    if isinstance(variable, str) == isinstance(file, str):
        raise ConfigurationError(f"{where} must name either stream_key_env or stream_key_file")
    if isinstance(variable, str):
        key = environment.get(variable, "")
        source = f"the variable {variable}"
    else:
        source = f"the file {file}"
        try:
            key = text_of_file((folder / str(file)).read_bytes())
        except (OSError, ValueError) as error:
            key = ""
            source = f"{source} ({getattr(error, 'strerror', None) or error})"
    if not key:
        raise ConfigurationError(f"{where}: no stream key in {source}")
    return key
