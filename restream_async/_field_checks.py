"""Private: what is wrong with a field of a restream."""

import functools
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from restream_async._util.stray_characters import Inside, stray
from restream_async._util.urls import wrong_address
from restream_async.errors import InvalidRestreamError

LONGEST_TEXT: Final = 16_384
"""Characters of one field. The service documents no limit. But it repeats all fields in its answer,
which is read up to 1 MiB: four fields of this length fit, even if JSON escapes each character."""

_EXAMPLE: Final = "rtmps://live.example.com/app"

Check: TypeAlias = Callable[[object], str]
"""Returns what is wrong with a value, or an empty string."""


def check_identifier(field: str, value: object) -> str:
    """Return an id as a string that can be a part of a path.

    Raises:
        InvalidRestreamError: it is neither a usable string nor an integer; or it is `.` or `..`,
            which would change the path.

    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if problem := _wrong_identifier(text):
        raise InvalidRestreamError(field, problem)
    return cast("str", text)


def _wrong_text(value: object, inside: Inside) -> str:
    if not isinstance(value, str):
        return f"must be a string, not {type(value).__name__}"
    if len(value) > LONGEST_TEXT:
        return f"must not be longer than {LONGEST_TEXT:,} characters"
    return stray(value, inside) if value.strip() else "must not be empty"


def _wrong_title(value: object) -> str:
    return _wrong_text(value, "text")


def _wrong_key(value: object) -> str:
    return _wrong_text(value, "spaces")


def _wrong_identifier(value: object) -> str:
    if problem := _wrong_text(value, "spaces"):
        return problem
    return f"must not be {value!r}" if value in {".", ".."} else ""


# Many restreams have the same URL.
wrong_stream_address = functools.lru_cache(maxsize=256)(
    functools.partial(wrong_address, example=_EXAMPLE)
)


def _wrong_url(value: object) -> str:
    return _wrong_text(value, "visible") or wrong_stream_address(cast("str", value))


def _wrong_flag(value: object) -> str:
    return "" if isinstance(value, bool) else f"must be true or false, not {type(value).__name__}"


CHECKS: Final[Mapping[str, Check]] = {
    "video_id": _wrong_identifier,
    "title": _wrong_title,
    "stream_url": _wrong_url,
    "stream_key": _wrong_key,
    "status": _wrong_flag,
}
