"""What goes in and what comes out: `NewRestream`, `Restream` and the outcomes of a bulk run."""

import enum
import functools
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

import attrs

from restream_async._util.addresses import wrong_address
from restream_async._util.fast_attrs import Frozen, fast_constructor
from restream_async._util.redaction import mask_url, redact_values, url_secrets
from restream_async._util.stray_characters import Inside, stray
from restream_async.errors import InvalidRestreamError, RestreamError

LONGEST_TEXT: Final = 16_384
"""Characters of one field. The service documents no limit, but it repeats all fields in its answer,
which is read up to 1 MiB: four fields of this length fit, however JSON escapes them."""

_EXAMPLE: Final = "rtmps://live.example.com/app"
_TEXTS: Final = ("video_id", "title", "stream_url", "stream_key")

Check: TypeAlias = Callable[[object], str]
"""Says what is wrong with a value; of a good one, nothing."""


def check_identifier(field: str, value: object) -> str:
    """Return an id as a string that can stand in a path, or say what is wrong with it.

    Raises:
        InvalidRestreamError: it is neither a usable string nor an integer, or a dot segment,
            which would change the path that it stands in.

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
_wrong_stream_address = functools.lru_cache(maxsize=256)(
    functools.partial(wrong_address, example=_EXAMPLE)
)


def _wrong_url(value: object) -> str:
    return _wrong_text(value, "visible") or _wrong_stream_address(cast("str", value))


def _wrong_flag(value: object) -> str:
    return "" if isinstance(value, bool) else f"must be true or false, not {type(value).__name__}"


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
        InvalidRestreamError: a field is empty, of the wrong type, malformed, longer than 16,384
            characters, begins or ends with a space, or holds an invisible character. All wrong
            fields are named. All five are mandatory in the service's documentation of
            `POST /restreams`.

    """

    video_id: str
    title: str
    stream_url: str
    stream_key: str
    status: bool

    def __attrs_post_init__(self) -> None:
        """Check every field; all wrong ones are named."""
        video_id, title, url, key = self.video_id, self.title, self.stream_url, self.stream_key
        # At a glance all is well, as it nearly always is; if not, it is looked at closely.
        if not (
            type(self.status) is bool
            and type(video_id) is type(title) is type(url) is type(key) is str
            and (text := f"{video_id}{title}{url}{key}").isprintable()
            and len(text) <= LONGEST_TEXT
            and bool(video_id.strip(".") and title and key)
            and video_id == video_id.strip()
            and title == title.strip()
            and key == key.strip()
            and " " not in url
            and not _wrong_stream_address(url)
        ):
            self._check()

    def _check(self) -> None:
        found = {name: check(getattr(self, name)) for name, check in CHECKS.items()}
        problems = [(name, problem) for name, problem in found.items() if problem]
        if problems:
            raise InvalidRestreamError(*problems[0], *problems[1:])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat: the stream key, and what the stream URL can hide."""
        return (self.stream_key, *url_secrets(self.stream_url))

    def __repr__(self) -> str:
        """Return all that anyone may see."""
        return _repr(self, "video_id", "title", "stream_url", "status")


CHECKS: Final[Mapping[str, Check]] = {
    "video_id": _wrong_identifier,
    "title": _wrong_title,
    "stream_url": _wrong_url,
    "stream_key": _wrong_key,
    "status": _wrong_flag,
}
"""How each field of a `NewRestream` is checked."""


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


make_restream: Final = fast_constructor(Restream)
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


make_created: Final = fast_constructor(Created)
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
