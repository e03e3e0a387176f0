"""Private: requests and responses: paths, headers and bodies, without a network.

The routes and the envelope are those of the service's documentation of `POST /restreams` and its
sibling pages.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urlencode

import attrs

from restream_async._http import serialization
from restream_async._util.redaction import redact
from restream_async.errors import Call
from restream_async.models import NewRestream, check_identifier

_CACHE_HEADERS: Final = (
    "Cache-Status",
    "X-Cache",
    "X-Cache-Status",
    "X-Proxy-Cache",
    "CF-Cache-Status",
)
_HIT: Final = re.compile(r"(?<![a-z])hit(?![a-z])", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,10}(\.\d{1,10})?", re.ASCII)


# One is made for each creation: not frozen, as that takes three times as long.
@attrs.define
class Request:
    """One request, ready to be sent.

    Attributes:
        method: the HTTP method.
        path: absolute and escaped.
        video_id: the live video that it is about, or None.
        new: the restream that it creates, or that a list is searched for.
        body: JSON in UTF-8, or None.
        restream_id: the restream that it toggles or deletes.
        sent: whether the latest attempt began to write the body; stays false for a GET.
        again: whether it is sent after a failure; it then gets a new connection.

    """

    method: str
    path: str
    video_id: str | None = None
    new: NewRestream | None = None
    body: bytes | None = attrs.field(default=None, repr=False)
    restream_id: str | None = None
    sent: bool = False
    again: bool = False

    @property
    def call(self) -> Call:
        """The request, as errors show it."""
        secrets = self.secrets
        video_id = redact(self.video_id, secrets) if self.video_id is not None else None
        # The query holds page numbers and numbers against caches, which help no reader.
        route = self.path.partition("?")[0]
        return Call(self.method, redact(route, secrets), video_id, self.restream_id)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text about this request may repeat."""
        return self.new.secrets if self.new is not None else ()


@attrs.define
class Response:
    """A response of the service.

    Attributes:
        status: the HTTP status code.
        reason: the reason phrase; empty in HTTP/2.
        headers: the header fields; their names are case-insensitive.
        body: what arrived of the body.
        defect: why the body is not complete, or empty.

    """

    status: int
    reason: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    defect: str = ""


@attrs.frozen(kw_only=True)
class NoResponse:
    """Why there is no response.

    Attributes:
        detail: what went wrong.
        sent: whether the request may have reached the service.
        timed_out: whether the timeout of the attempt expired.
        closed: whether the client is closed, so that nothing can be sent.
        unreadable: whether something came that is no valid HTTP.
        untrusted: whether the certificate of the service could not be verified.
        remedy: what the user can do, or empty.
        proxy_status: the status with which a proxy refused to connect to the service, or 0.

    """

    detail: str
    sent: bool
    timed_out: bool = False
    closed: bool = False
    unreadable: bool = False
    untrusted: bool = False
    remedy: str = ""
    proxy_status: int = 0


@attrs.frozen
class Api:
    """The requests of one project.

    Raises:
        InvalidRestreamError: from each method, for an id that cannot stand in a path.

    """

    project_id: str
    _root: str = attrs.field(init=False, repr=False)
    _restreams: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Escape the project id once."""
        root = f"/api/v1/{quote(self.project_id, safe='')}"
        object.__setattr__(self, "_root", root)
        object.__setattr__(self, "_restreams", f"{root}/restreams")

    def restreams_call(self, method: str) -> Call:
        """Return what errors show of a method's calls, without saying which restream."""
        return Call(method, self._restreams)

    def create(self, new: NewRestream) -> Request:
        """Return the request that creates a restream."""
        return Request("POST", self._restreams, new.video_id, new, serialization.to_json(new))

    def list(
        self,
        video_id: str,
        *,
        about: NewRestream | None = None,
        page: int | None = None,
        take: int | None = None,
        unique: int | None = None,
    ) -> Request:
        """Return the request that lists the restreams of one live video.

        Args:
            video_id: the live video.
            about: the restream that the list is searched for, if any.
            page: the number of the page, for a list that comes in pages.
            take: how many restreams a page has.
            unique: a number that no earlier request had, so that no cache knows the query.

        """
        video = check_identifier("video_id", video_id)
        path = f"{self._root}/live-video/{quote(video, safe='')}/restreams"
        parameters = {"page": page, "take": take, "_": unique}
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        if query:
            path = f"{path}?{query}"
        return Request(method="GET", path=path, video_id=video, new=about)

    def toggle(self, restream_id: int | str) -> Request:
        """Return the request that turns a restream on or off."""
        return self._about("PUT", restream_id, "/toggle")

    def delete(self, restream_id: int | str) -> Request:
        """Return the request that deletes a restream."""
        return self._about("DELETE", restream_id)

    def _about(self, method: str, restream_id: int | str, rest: str = "") -> Request:
        identifier = check_identifier("restream_id", restream_id)
        path = f"{self._restreams}/{quote(identifier, safe='')}{rest}"
        return Request(method, path, restream_id=identifier)


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Return whether a cache says that it answered from its store.

    Caches say it with `Age` (RFC 9111, section 5.1), with `Cache-Status` (RFC 9211), or with the
    headers of nginx, CDNs and proxies. Varnish puts two numbers into `X-Varnish`: that of the
    request, and that of the request whose response it had stored.
    """
    hits = " ".join(headers.get(name, "") for name in _CACHE_HEADERS)
    return (
        headers.get("Age", "0").strip() != "0"
        or len(headers.get("X-Varnish", "").split()) > 1
        or _HIT.search(hits) is not None
    )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the request id of the service, else that of Varnish, else an empty string.

    Of the two numbers that Varnish sends for a stored response, the first is that of the request.
    """
    varnish = headers.get("X-Varnish", "").partition(" ")[0]
    return headers.get("X-Request-Id", "").strip() or varnish


def retry_after(headers: Mapping[str, str], wall_clock: Callable[[], float]) -> float | None:
    """Return the seconds that `Retry-After` asks to wait, or None if it is missing or invalid.

    It has two forms (RFC 9110, section 10.2.3). A date is compared with the `Date` of the response
    if there is one, so that a wrong clock on either side does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    then = _date(value)
    if then is None:
        return None
    now = _date(headers.get("Date", ""))
    return max(0.0, then - (now if now is not None else wall_clock()))


def _date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # RFC 9110, section 5.6.7: a date is in GMT, even if it does not say so.
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
