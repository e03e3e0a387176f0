"""Commands: messages that ask for one restream or a list of them, with JSON field names.

{"videoId": "v1", "title": "YouTube", "streamUrl": "rtmps://…", "streamKey": "…", "status": true}
"""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, cast

import attrs

from restream_async._http import json_values, serialization
from restream_async._util.redaction import redact_values, url_secrets
from restream_async.errors import InvalidRestreamError
from restream_async.models import NewRestream

MAX_BYTES: Final = 1024 * 1024
"""The largest message, in bytes. A NATS server with default settings takes no larger one."""
MAX_RESTREAMS: Final = 1000

# Field names that hold secrets, even if they are misspelt.
_SECRET: Final = re.compile("key|url", re.IGNORECASE)


@attrs.frozen
class Unusable:
    """A message, or an item of one, that is not a restream.

    Attributes:
        reason: why not. Repeats no value, because a value may be a key.
        video_id: the id of the live video, if it can be read, without secrets.
        title: the title of the restream, if it can be read, without secrets.

    """

    reason: str
    video_id: str = ""
    title: str = ""


Item: TypeAlias = NewRestream | Unusable


def decode(data: bytes) -> list[Item] | Unusable:
    """Return the restreams that a message asks for, each usable or not; or why it asks for none."""
    if len(data) > MAX_BYTES:
        return Unusable(f"it is too large: {len(data):,} bytes, at most {MAX_BYTES:,} are allowed")
    try:
        value = json_values.parse(data)
    except json_values.UnreadableError as error:
        return Unusable(str(error))
    if not isinstance(value, list):
        return [_item(value)]
    values = cast("list[object]", value)
    if not values:
        return Unusable("it is an empty list")
    if len(values) > MAX_RESTREAMS:
        return Unusable(
            f"it is too long: {len(values):,} restreams, at most {MAX_RESTREAMS:,} are allowed"
        )
    return [_item(each) for each in values]


def encode(restreams: NewRestream | Iterable[NewRestream]) -> bytes:
    """Return the message that asks for one restream, or for several of them."""
    if isinstance(restreams, NewRestream):
        return serialization.to_json(restreams)
    return b"[" + b",".join(map(serialization.to_json, restreams)) + b"]"


def _item(value: object) -> Item:
    if not isinstance(value, dict):
        return Unusable("it is not an object with the fields of a restream")
    fields = cast("dict[str, object]", value)
    try:
        return serialization.read_new_restream(fields)
    except InvalidRestreamError as error:
        reason = serialization.problems_in_json_names(error)
    return Unusable(reason, *_readable(fields))


def _readable(fields: dict[str, object]) -> tuple[str, str]:
    """Return the video id and the title without secrets; empty if they are not texts."""
    texts = [
        text if isinstance(text := fields.get(name), str) else "" for name in ("videoId", "title")
    ]
    hidden = [str(value) for name, value in fields.items() if _SECRET.search(name)]
    secrets = [secret for text in hidden for secret in (text, *url_secrets(text))]
    video_id, title = redact_values(texts, secrets)
    return str(video_id), str(title)
