"""The bytes of every answer: the service's envelope, the cache's page, and spoiled ones."""

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

    from restream_async.sandbox.restream_store import Stored


class Ending(enum.Enum):
    """What becomes of the connection once the bytes are out."""

    KEPT = "kept"
    CLOSED = "closed"
    RESET = "reset"


@attrs.frozen
class SandboxResponse:
    """An answer as bytes: head and body apart, so that it can be cut in the middle."""

    head: bytes
    body: bytes
    ending: Ending = Ending.KEPT
    hangs: bool = False
    """Whether the answer is held back for as long as the client has patience."""


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
    further = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"{further}Content-Length: {len(body)}\r\n\r\n"
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
    """Return the envelope of a failure; `errors` must say at least one thing."""
    return _envelope(status, None, errors)


def restream(stored: Stored) -> dict[str, object]:
    """Return a restream under the names it has on the wire."""
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
    """Return the answer to a request beyond the rate limit."""
    header = {} if retry_after is None else {"Retry-After": retry_after}
    return _envelope(HTTPStatus.TOO_MANY_REQUESTS, None, ["Too Many Requests"], header)


UNAUTHORIZED = failure(HTTPStatus.UNAUTHORIZED, ["Unauthorized"])
NOT_FOUND = failure(HTTPStatus.NOT_FOUND, ["Result Not Found"])
INTERNAL_ERROR = failure(HTTPStatus.INTERNAL_SERVER_ERROR, ["Internal Server Error"])
NOTHING_DONE = success(None)
_GARBAGE = _json(HTTPStatus.OK, b"<<< this is not JSON >>>\xff\xfe")


def spoil(reply: SandboxResponse, fault: Fault, retry_after: str | None) -> SandboxResponse:
    """Return what reaches the client instead of `reply` when `fault` strikes."""
    match fault:
        case Fault.INTERNAL_ERROR:
            return INTERNAL_ERROR
        case Fault.BACKEND_FETCH_FAILED:
            return backend_fetch_failed(retry_after)
        case Fault.GARBAGE:
            return _GARBAGE
        case Fault.TRUNCATED:
            half = reply.body[: len(reply.body) // 2]
            return attrs.evolve(reply, body=half, ending=Ending.CLOSED)
        case Fault.RESET:
            return SandboxResponse(b"", b"", Ending.RESET)
        case _:  # Fault.HANG: the cache gives up in the end, as on any backend that is too slow
            return attrs.evolve(backend_fetch_failed(retry_after), hangs=True)
