"""Responses: the service's JSON, the cache's 503 page, and what faults make of them."""

from __future__ import annotations

import enum
import json
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from restream_async.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from restream_async.sandbox.fault_schedule import ScheduledFault
    from restream_async.sandbox.faults import Faults
    from restream_async.sandbox.restream_store import Stored


class Connection(enum.Enum):
    """What becomes of the connection after a response."""

    KEPT = "kept"
    CLOSED = "closed"
    RESET = "reset"


@attrs.frozen
class SandboxResponse:
    """A response as bytes, with head and body apart, so that a fault can cut it in the middle."""

    head: bytes
    body: bytes
    connection: Connection = Connection.KEPT
    delay: float = 0.0
    """Seconds that the response is held back, unless the client leaves before."""


_encode = json.JSONEncoder(separators=(",", ":")).encode

# As captured from Varnish 7.1.1: the same headers, and the same 278 bytes of page.
_PAGE = b"""\
<!DOCTYPE html>
<html>
  <head>
    <title>503 Backend fetch failed</title>
  </head>
  <body>
    <h1>Error 503 Backend fetch failed</h1>
    <p>Backend fetch failed</p>
    <h3>Guru Meditation:</h3>
    <p>XID: 3</p>
    <hr>
    <p>Varnish cache server</p>
  </body>
</html>
"""


_NO_HEADERS: Mapping[str, str] = {}


def _json(
    status: HTTPStatus, body: bytes, headers: Mapping[str, str] = _NO_HEADERS
) -> SandboxResponse:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"{lines}Content-Length: {len(body)}\r\n\r\n"
    )
    return SandboxResponse(head.encode(), body)


def _envelope(
    status: HTTPStatus,
    result: object,
    errors: Sequence[str],
    headers: Mapping[str, str] = _NO_HEADERS,
) -> SandboxResponse:
    envelope: dict[str, object] = {
        "success": not errors,
        "errors": errors,
        "messages": [],
        "result": result,
        "resultInfo": None,
        "statusCode": status.value,
    }
    return _json(status, _encode(envelope).encode(), headers)


def success(result: object, status: HTTPStatus = HTTPStatus.OK) -> SandboxResponse:
    """Return the envelope of a success."""
    return _envelope(status, result, ())


def failure(status: HTTPStatus, errors: Sequence[str]) -> SandboxResponse:
    """Return the envelope of a failure; `errors` must not be empty."""
    return _envelope(status, None, errors)


def restream(stored: Stored) -> dict[str, object]:
    """Return a restream with its JSON field names."""
    return {
        "id": stored.id,
        "title": stored.title,
        "streamKey": stored.stream_key,
        "streamUrl": stored.stream_url,
        "status": stored.status,
        "videoId": stored.video_id,
    }


@lru_cache
def backend_fetch_failed(retry_after: str | None) -> SandboxResponse:
    """Return the cache's 503 page."""
    head = [
        "HTTP/1.1 503 Backend fetch failed",
        "Server: Varnish",
        "Content-Type: text/html; charset=utf-8",
        *([] if retry_after is None else [f"Retry-After: {retry_after}"]),
        "X-Varnish: 2",
        "Age: 0",
        "Via: 1.1 varnish (Varnish/7.1)",
        f"Content-Length: {len(_PAGE)}",
    ]
    return SandboxResponse("\r\n".join([*head, "\r\n"]).encode(), _PAGE)


@lru_cache
def too_many_requests(retry_after: str | None) -> SandboxResponse:
    """Return the response to a request above the rate limit."""
    header = {} if retry_after is None else {"Retry-After": retry_after}
    return _envelope(HTTPStatus.TOO_MANY_REQUESTS, None, ["Too Many Requests"], header)


UNAUTHORIZED = failure(HTTPStatus.UNAUTHORIZED, ["Unauthorized"])
NOT_FOUND = failure(HTTPStatus.NOT_FOUND, ["Result Not Found"])
INTERNAL_ERROR = failure(HTTPStatus.INTERNAL_SERVER_ERROR, ["Internal Server Error"])
NO_RESULT = success(None)
_GARBAGE = _json(HTTPStatus.OK, b"<<< this is not JSON >>>\xff\xfe")


def with_fault(response: SandboxResponse, fault: ScheduledFault, faults: Faults) -> SandboxResponse:
    """Return what the client gets instead of `response`."""
    retry_after = faults.retry_after if fault.retry_after is None else fault.retry_after
    delay = fault.latency
    if fault.kind is Fault.HANG:
        delay = delay or faults.hang_seconds
    failed = _failed(response, fault.kind, retry_after)
    return attrs.evolve(failed, delay=delay) if delay else failed


def _failed(
    response: SandboxResponse, kind: Fault | HTTPStatus, retry_after: str | None
) -> SandboxResponse:
    if isinstance(kind, HTTPStatus):
        limited = kind is HTTPStatus.TOO_MANY_REQUESTS
        return too_many_requests(retry_after) if limited else failure(kind, [kind.phrase])
    match kind:
        case Fault.INTERNAL_ERROR:
            return INTERNAL_ERROR
        case Fault.GARBAGE:
            return _GARBAGE
        case Fault.TRUNCATED:
            half = response.body[: len(response.body) // 2]
            return attrs.evolve(response, body=half, connection=Connection.CLOSED)
        case Fault.RESET:
            return SandboxResponse(b"", b"", Connection.RESET)
        case _:  # a hang too: in the end the cache gives up, as with any slow backend
            return backend_fetch_failed(retry_after)
