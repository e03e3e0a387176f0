"""The data of the API: `NewRestream`, `Restream`, and the outcomes `Created` and `Failed`."""

import enum
from typing import Final, TypeAlias

import attrs

from restream_async._field_checks import CHECKS, LONGEST_TEXT, wrong_stream_address
from restream_async._util.fast_attrs import Frozen, fast_constructor
from restream_async._util.redaction import mask_url, redact_values, url_secrets
from restream_async.errors import InvalidRestreamError, RestreamError

_TEXTS: Final = ("video_id", "title", "stream_url", "stream_key")


@attrs.frozen(kw_only=True, repr=False)
class NewRestream:
    """A restream to create: a destination that one live video is pushed to.

    Attributes:
        video_id: public identifier of the live video.
        title: the name of the destination, for people.
        stream_url: the URL to push to; needs a scheme and a host.
        stream_key: the secret of the destination. It appears in no repr, log line or error.
        status: true to start active.

    Raises:
        InvalidRestreamError: a field is empty, of the wrong type, malformed, longer than 16,384
            characters, begins or ends with a space, or holds an invisible character. The error
            names all wrong fields. The service's documentation of `POST /restreams` makes all five
            mandatory.

    """

    video_id: str
    title: str
    stream_url: str
    stream_key: str
    status: bool

    def __attrs_post_init__(self) -> None:
        """Check all fields."""
        video_id, title, url, key = self.video_id, self.title, self.stream_url, self.stream_key
        # One quick check of all fields; only if it fails, each field is checked, to name it.
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
            and not wrong_stream_address(url)
        ):
            self._check()

    def _check(self) -> None:
        found = {name: check(getattr(self, name)) for name, check in CHECKS.items()}
        problems = [(name, problem) for name, problem in found.items() if problem]
        if problems:
            raise InvalidRestreamError(*problems[0], *problems[1:])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text: the stream key, and secret parts of the stream URL."""
        return (self.stream_key, *url_secrets(self.stream_url))

    def __repr__(self) -> str:
        """Return the fields without secrets."""
        return _repr(self, "video_id", "title", "stream_url", "status")


"""The check of each field of a `NewRestream`."""


@attrs.frozen(kw_only=True, repr=False)
class Restream(Frozen):
    """A restream as the service has it.

    Only the id and the types are checked. A stricter check would reject restreams that the
    service has accepted.

    Attributes:
        id: integer or string, as the service sent it; never empty.
        title: the name of the destination, for people.
        stream_key: the secret of the destination, as the service sent it; may be masked or empty.
        stream_url: the URL that it pushes to; may be masked or empty.
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
        """What must not appear in any text: the stream key, and secret parts of the stream URL."""
        return (self.stream_key, *url_secrets(self.stream_url))

    def __repr__(self) -> str:
        """Return the fields without secrets."""
        return _repr(self, "id", "video_id", "title", "stream_url", "status")


make_restream: Final = fast_constructor(Restream)
"""Makes a `Restream` from all fields in order, without checks."""


def _repr(restream: NewRestream | Restream, *visible: str) -> str:
    kind = type(restream).__name__
    has = {field.name: getattr(restream, field.name) for field in attrs.fields(type(restream))}
    if any(not isinstance(has[name], str) for name in _TEXTS):
        # A debugger may show an object whose constructor has raised an error.
        return f"{kind}(not made)"
    has["stream_url"] = mask_url(restream.stream_url)
    # Redacted before they are quoted: quotes around a secret can change its spelling.
    values = redact_values([has[name] for name in visible], restream.secrets)
    fields = (f"{name}={value!r}" for name, value in zip(visible, values, strict=True))
    return f"{kind}({', '.join(fields)})"


@attrs.frozen(kw_only=True)
class Toggled:
    """The status of a restream after a toggle.

    Attributes:
        id: integer or string, as the service sent it.
        status: true if the restream is active now.

    """

    id: int | str
    status: bool


class Origin(enum.Enum):
    """How the client knows that a restream exists."""

    POSTED = "posted"
    """The service answered the POST."""
    CONFIRMED = "confirmed"
    """The answer was lost; an existence check found the restream."""
    EXISTING = "existing"
    """It existed before."""
    JOURNAL = "journal"
    """An earlier run created it."""


@attrs.frozen(kw_only=True)
class Created(Frozen):
    """A restream that exists.

    Attributes:
        index: its position in the input, from 0.
        request: what was asked for.
        restream: what the service has. If an earlier run created it: what the service had then,
            according to the journal.
        attempts: how many times the client tried to send the POST.
        origin: how the client knows that it exists.
        maybe_duplicate: true if the POST was sent again without knowing the outcome of an attempt.

    """

    index: int
    request: NewRestream
    restream: Restream
    attempts: int
    origin: Origin = Origin.POSTED
    maybe_duplicate: bool = False

    @property
    def differences(self) -> tuple[str, ...]:
        """The fields (`title`, `status`) whose value at the service differs from the request."""
        asked, has = self.request, self.restream
        return tuple(
            name for name in ("title", "status") if getattr(asked, name) != getattr(has, name)
        )


make_created: Final = fast_constructor(Created)
"""Makes a `Created` from all fields in order, without checks."""


@attrs.frozen(kw_only=True)
class Failed:
    """A restream that was not created.

    Attributes:
        index: its position in the input, from 0.
        request: what was asked for.
        error: why it was not created. After `OutcomeUnknownError` it may exist.
        attempts: how many times the client tried to send the POST.

    """

    index: int
    request: NewRestream
    error: RestreamError
    attempts: int


Outcome: TypeAlias = Created | Failed
