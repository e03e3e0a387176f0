"""What a message asks for: one restream, or a list of them, with the names of the wire.

{"videoId": "v1", "title": "YouTube", "streamUrl": "rtmps://…", "streamKey": "…", "status": true}
"""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, cast

import attrs

from restream_async._http import serialization
from restream_async._util.redaction import redact_values, url_secrets
from restream_async.errors import InvalidRestreamError
from restream_async.models import NewRestream

LARGEST: Final = 1024 * 1024
"""Bytes of a message; also the largest that a NATS server takes where nobody changed it."""
MOST: Final = 1000
"""Restreams in one message. They are created one after the other, so that a message is never
more than one request to the service; more of them belong into more messages."""

# Fields that hold a secret, also where their names are misspelt.
_SECRET: Final = re.compile("key|url", re.IGNORECASE)


@attrs.frozen
class Unusable:
    """Something that is no restream, and why not.

    Attributes:
        reason: why not. Repeats no value: it may be a key.
        video_id: of which live video, where that can be read; without secrets.
        title: of the restream, where it can be read; without secrets.

    """

    reason: str
    video_id: str = ""
    title: str = ""


Item: TypeAlias = NewRestream | Unusable


def decode(data: bytes) -> list[Item] | Unusable:
    """Return the restreams that a message asks for, each good or bad; or why it asks for none."""
    if len(data) > LARGEST:
        return Unusable(f"it is too large: {len(data):,} bytes, at most {LARGEST:,} are taken")
    try:
        value = serialization.parse(data)
    except serialization.UnreadableError as error:
        return Unusable(str(error))
    if not isinstance(value, list):
        return [_item(value)]
    values = cast("list[object]", value)
    if not values:
        return Unusable("it is an empty list")
    if len(values) > MOST:
        return Unusable(f"it is too long: {len(values):,} restreams, at most {MOST:,} are taken")
    return [_item(each) for each in values]


def encode(restreams: NewRestream | Iterable[NewRestream]) -> bytes:
    """Return the message that asks for one restream, or for several of them."""
    if isinstance(restreams, NewRestream):
        return serialization.to_json(restreams)
    return b"[" + b",".join(map(serialization.to_json, restreams)) + b"]"


def _item(value: object) -> Item:
    if not isinstance(value, dict):
        return Unusable("it is no object with the fields of a restream")
    fields = cast("dict[str, object]", value)
    try:
        return serialization.read_new_restream(fields)
    except InvalidRestreamError as error:
        reason = serialization.problems_in_json_names(error)
    return Unusable(reason, *_readable(fields))


def _readable(fields: dict[str, object]) -> tuple[str, str]:
    """Return the video id and the title, as far as they are texts, without secrets."""
    texts = [
        text if isinstance(text := fields.get(name), str) else "" for name in ("videoId", "title")
    ]
    hidden = [str(value) for name, value in fields.items() if _SECRET.search(name)]
    secrets = [secret for text in hidden for secret in (text, *url_secrets(text))]
    video_id, title = redact_values(texts, secrets)
    return str(video_id), str(title)
