"""Private: requests and responses, without a network."""

from collections.abc import Mapping
from typing import ClassVar

import attrs

from restream_async._util.redaction import redact
from restream_async.errors import Call
from restream_async.models import NewRestream


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
        status: 0, as there is no response.

    """

    detail: str
    sent: bool
    timed_out: bool = False
    closed: bool = False
    unreadable: bool = False
    untrusted: bool = False
    remedy: str = ""
    proxy_status: int = 0
    status: ClassVar[int] = 0
