"""What goes in and what comes out: `NewRestream`, `Restream` and the outcomes of a bulk run."""

import contextlib
import enum
import functools
import re
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from restream_async.errors import InvalidRestreamError, RestreamError
from restream_async.frozen import Frozen, maker
from restream_async.redaction import mask_url, redact_values, url_secrets

LONGEST_TEXT: Final = 16_384
"""Characters of one field. The service documents no limit, but it repeats all fields in its answer,
which is read up to 1 MiB: four fields of this length fit, however JSON escapes them."""

_TEXTS: Final = ("video_id", "title", "stream_url", "stream_key")
# Control characters, line and paragraph separators, and halves of surrogate pairs (which no
# UTF-8 can carry).
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_text(field: str, value: object) -> str:
    """Return `value` if it is a string that the service can take, or say what is wrong with it.

    Raises:
        InvalidRestreamError: it is no string, empty or blank, longer than `LONGEST_TEXT`, or holds
            control characters.

    """
    if not isinstance(value, str):
        raise InvalidRestreamError(field, f"must be a string, not {type(value).__name__}")
    if len(value) > LONGEST_TEXT:
        raise InvalidRestreamError(field, f"must not be longer than {LONGEST_TEXT:,} characters")
    if not value.strip():
        raise InvalidRestreamError(field, "must not be empty")
    if _FORBIDDEN.search(value):
        raise InvalidRestreamError(field, "must not contain control characters or line breaks")
    return value


def check_identifier(field: str, value: object) -> str:
    """Return an id as a string that can stand in a path, or say what is wrong with it.

    Raises:
        InvalidRestreamError: it is neither a usable string nor an integer, or a dot segment,
            which would change the path that it stands in.

    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = check_text(field, value)
    if text in {".", ".."}:
        raise InvalidRestreamError(field, f"must not be {text!r}")
    return text


@functools.lru_cache(maxsize=256)
def _names_a_host(url: str) -> bool:
    # The parser's own error may repeat the URL: nothing may chain to it.
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return bool(parts.scheme and (parts.hostname or "").strip() and parts.port != 0)
    return False


def _check_url(field: str, value: object) -> None:
    if " " in (text := check_text(field, value)):
        raise InvalidRestreamError(field, "must not contain spaces")
    if not _names_a_host(text):
        raise InvalidRestreamError(
            field, "must have a scheme and a host, such as rtmps://live.example.com/app"
        )


def _check_flag(field: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidRestreamError(field, f"must be true or false, not {type(value).__name__}")


@attrs.frozen(kw_only=True, repr=False)
class NewRestream:
    """A restream to create: where one live video is pushed on to.

    Attributes:
        video_id: public identifier of the live video.
        title: what people call the destination.
        stream_url: where to push to; needs a scheme and a host.
        stream_key: the destination's secret. It appears in no repr, log line or error.
        status: true to start active.

    Raises:
        InvalidRestreamError: a field is empty, of the wrong type, malformed, or longer than 16,384
            characters. All five are mandatory in the service's documentation of `POST /restreams`.

    """

    video_id: str
    title: str
    stream_url: str
    stream_key: str
    status: bool

    def __attrs_post_init__(self) -> None:
        """Check every field, the first wrong one is named."""
        video_id, title, url, key = self.video_id, self.title, self.stream_url, self.stream_key
        # At a glance all is well, as it nearly always is; if not, it is looked at closely.
        if not (
            type(self.status) is bool
            and type(video_id) is type(title) is type(url) is type(key) is str
            and (text := f"{video_id}{title}{url}{key}").isprintable()
            and len(text) <= LONGEST_TEXT
            and bool(video_id.strip(".") and title.strip() and key.strip())
            and not video_id.isspace()
            and " " not in url
            and _names_a_host(url)
        ):
            self._check()

    def _check(self) -> None:
        # As a text first: an identifier may be an integer, a video id may not.
        check_identifier("video_id", check_text("video_id", self.video_id))
        check_text("title", self.title)
        _check_url("stream_url", self.stream_url)
        check_text("stream_key", self.stream_key)
        _check_flag("status", self.status)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat: the stream key, and what the stream URL can hide."""
        return (self.stream_key, *url_secrets(self.stream_url))

    def __repr__(self) -> str:
        """Return all that anyone may see."""
        return _repr(self, "video_id", "title", "stream_url", "status")


@attrs.frozen(kw_only=True, repr=False)
class Restream(Frozen):
    """A restream as the service has it.

    Only its id is checked, and the types of what the service sends: what it accepted is not for
    the client to refuse, as a restream that exists would then be called unreadable.

    Attributes:
        id: integer or string, as the service sent it; never empty.
        title: what people call the destination.
        stream_key: the destination's secret, as the service sent it.
        stream_url: where it pushes to.
        status: true while it is active.
        video_id: public identifier of the live video.

    """

    id: int | str
    title: str
    stream_key: str
    stream_url: str
    status: bool
    video_id: str

    def __attrs_post_init__(self) -> None:
        """Check the id: without one, a restream can be neither toggled nor deleted."""
        if self.id == "":
            raise InvalidRestreamError("id", "must not be empty")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat: the stream key, and what the stream URL can hide."""
        return (self.stream_key, *url_secrets(self.stream_url))

    def __repr__(self) -> str:
        """Return all that anyone may see."""
        return _repr(self, "id", "video_id", "title", "stream_url", "status")


make_restream: Final = maker(Restream)
"""Makes one of all its fields in order, which whoever calls it has checked."""


def _repr(restream: NewRestream | Restream, *visible: str) -> str:
    kind = type(restream).__name__
    has = {field.name: getattr(restream, field.name) for field in attrs.fields(type(restream))}
    if any(not isinstance(has[name], str) for name in _TEXTS):
        # A debugger may ask for it after the constructor has refused it.
        return f"{kind}(not made)"
    has["stream_url"] = mask_url(restream.stream_url)
    # Redacted before they are quoted: quotes around a secret can change its spelling.
    values = redact_values([has[name] for name in visible], restream.secrets)
    fields = (f"{name}={value!r}" for name, value in zip(visible, values, strict=True))
    return f"{kind}({', '.join(fields)})"


@attrs.frozen(kw_only=True)
class Toggled:
    """What a toggle left behind.

    Attributes:
        id: integer or string, as the service sent it.
        status: true if the restream is active now.

    """

    id: int | str
    status: bool


class Origin(enum.Enum):
    """How a restream came to be known."""

    POSTED = "posted"
    """The service answered the POST."""
    CONFIRMED = "confirmed"
    """The answer was lost; the restream was found by looking."""
    EXISTING = "existing"
    """It was there before."""
    JOURNAL = "journal"
    """An earlier run created it."""


@attrs.frozen(kw_only=True)
class Created(Frozen):
    """A restream of a bulk run that exists.

    Attributes:
        index: its place in the input, from 0.
        request: what was asked for.
        restream: what the service has; of one that an earlier run created, what the service had
            then, as its journal knows it.
        attempts: how many times the POST was sent, or tried to be sent.
        origin: how it came to be known.
        maybe_duplicate: true if an attempt in doubt was resent without knowing its outcome.

    """

    index: int
    request: NewRestream
    restream: Restream
    attempts: int
    origin: Origin = Origin.POSTED
    maybe_duplicate: bool = False

    @property
    def differences(self) -> tuple[str, ...]:
        """Which of `title` and `status` the service has otherwise than they were asked for."""
        asked, has = self.request, self.restream
        return tuple(
            name for name in ("title", "status") if getattr(asked, name) != getattr(has, name)
        )


make_created: Final = maker(Created)
"""Makes one of all its fields in order."""


@attrs.frozen(kw_only=True)
class Failed:
    """A restream of a bulk run that was not created.

    Attributes:
        index: its place in the input, from 0.
        request: what was asked for.
        error: why not.
        attempts: how many times the POST was sent, or tried to be sent.

    """

    index: int
    request: NewRestream
    error: RestreamError
    attempts: int


Outcome: TypeAlias = Created | Failed
