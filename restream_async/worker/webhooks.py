"""From the platform's webhooks: a new live video, and one restream for each destination.

Destinations stand in a TOML or JSON file:

    [[destinations]]
    title = "YouTube: {title}"            # {videoId}, and the fields of the event's data
    stream_url = "rtmps://a.rtmps.youtube.com/live2"
    stream_key_env = "YOUTUBE_KEY"        # or stream_key_file = "/run/secrets/youtube"
    status = true                         # the default

Stream keys do not stand in it. An event is delivered again and again until it is answered well,
for up to a day: so each restream is looked for first.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import attrs

from restream_async._http import serialization
from restream_async._util.text_files import text_of_file
from restream_async.errors import ConfigurationError, InvalidRestreamError
from restream_async.models import NewRestream, check_identifier
from restream_async.worker.commands import LARGEST

CREATED: Final = "live.video.created"

_FIELDS: Final = {"title", "stream_url", "stream_key_env", "stream_key_file", "status"}
_PLACE: Final = re.compile(r"\{(\w+)\}")


class UnusableEventError(ValueError):
    """An event that cannot be read, however often it is sent; the text repeats no value."""


@attrs.frozen(kw_only=True)
class Destination:
    """Where every new live video is pushed on to.

    Attributes:
        title: what to call the restream; `{videoId}` and `{title}` and other texts of the event
            are filled in.
        stream_url: where to push to.
        stream_key: the destination's secret.
        status: true to start active.

    """

    title: str
    stream_url: str = attrs.field(repr=False)
    stream_key: str = attrs.field(repr=False)
    status: bool = True

    def restream(self, video_id: str, data: Mapping[str, object]) -> NewRestream:
        """Return the restream of a live video.

        Raises:
            InvalidRestreamError: the event has no such video.

        """
        texts = {name[:1].lower() + name[1:]: value for name, value in data.items()}

        def fill(found: re.Match[str]) -> str:
            value = video_id if found[1] == "videoId" else texts.get(found[1])
            # A title is for people: what the event lacks is no reason to create nothing.
            return " ".join(value.split()) if isinstance(value, str) else ""

        title = "".join(filter(str.isprintable, _PLACE.sub(fill, self.title))).strip()
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
    """Read the destinations from a TOML file, or a JSON file by its ending.

    Raises:
        ConfigurationError: it cannot be read, or a destination is incomplete; says which.

    """
    try:
        data = path.read_bytes()
        loaded = (
            json.loads(data) if path.suffix.lower() == ".json" else tomllib.loads(data.decode())
        )
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError as error:
        # Only where it is: the line itself may hold a key that does not belong there.
        at = re.search(r"line \d+", str(error))
        problem = "it is no TOML or JSON" + (f" at {at[0]}" if at else "")
    else:
        return _destinations(path, loaded, environment)
    raise ConfigurationError(f"the destinations cannot be read from {path}: {problem}")


def restreams_for(data: bytes, destinations: Sequence[Destination]) -> list[NewRestream]:
    """Return what an event asks for: nothing, unless it tells of a new live video.

    Raises:
        UnusableEventError: it is no event, or names no video.

    """
    if len(data) > LARGEST:
        raise UnusableEventError("the event is too large")
    try:
        event = serialization.parse(data)
    except serialization.UnreadableError as error:
        problem = str(error)
        event = None
    else:
        problem = "it is no object with an eventType"
    fields = cast("dict[str, object]", event) if isinstance(event, dict) else {}
    kind = fields.get("eventType")
    if not isinstance(kind, str):
        raise UnusableEventError(f"the event cannot be used: {problem}")
    if kind != CREATED:
        return []
    about = fields.get("data")
    video = cast("dict[str, object]", about) if isinstance(about, dict) else {}
    try:
        # Documented with a capital; the other events of the platform write it small.
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
            raise ConfigurationError(f"{where} is no table")
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
        # As for a video, so that what is wrong is said now and not with the first event.
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
