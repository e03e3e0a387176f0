"""Answers that break off or are no valid HTTP, and the error that each becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from restream_async import (
    InternalServerError,
    MalformedResponseError,
    RestreamError,
    TransportError,
)
from tests.helpers.raw_server import then_close, then_reset
from tests.helpers.samples import answer, created, envelope, new_restream, on_the_wire

if TYPE_CHECKING:
    from tests.helpers.raw_server import Step

_CREATED: Final = created()
_HEAD, _BODY = _CREATED.split(b"\r\n\r\n")
_LONG: Final = b"x" * 2**17
_CHUNKED: Final = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"

BROKEN: Final[dict[str, tuple[Step, type[RestreamError], str]]] = {
    "closed before answering": (then_close(), TransportError, "without an answer"),
    "reset before answering": (then_reset(), TransportError, "lost"),
    "closed within the status line": (then_close(b"HTTP/1.1 20"), TransportError, ""),
    "closed within the headers": (then_close(_HEAD[:-5]), TransportError, ""),
    "reset within the headers": (then_reset(_HEAD[:-5]), TransportError, "lost"),
    "closed after the headers": (
        then_close(_HEAD + b"\r\n\r\n"),
        MalformedResponseError,
        "in the middle of the answer",
    ),
    "closed within the body": (
        then_close(_CREATED[:-10]),
        MalformedResponseError,
        "in the middle of the answer",
    ),
    "reset within the body": (
        then_reset(_CREATED[:-10]),
        MalformedResponseError,
        "in the middle of the answer",
    ),
    "closed within a chunk": (
        then_close(_CHUNKED + b"400\r\n" + _BODY),
        MalformedResponseError,
        "in the middle of the answer",
    ),
    "closed between chunks": (
        then_close(_CHUNKED + b"%x\r\n%s\r\n" % (len(_BODY), _BODY)),
        MalformedResponseError,
        "in the middle of the answer",
    ),
    "a chunk without a size": (
        then_close(_CHUNKED + b"many\r\n" + _BODY),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "a server error that breaks off": (
        then_close(b"HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\noo"),
        InternalServerError,
        "500 Oops",
    ),
    "no HTTP": (
        then_close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "random bytes": (
        then_close(bytes(range(255, 0, -1)) * 3),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "a status that is no number": (
        then_close(b"HTTP/1.1 yes OK\r\n\r\n"),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "a header without a name": (
        then_close(b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n"),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "a too long header": (
        then_close(b"HTTP/1.1 200 OK\r\nX-Long: %s\r\n\r\n" % _LONG),
        MalformedResponseError,
        "its status line or one of its header fields is too long",
    ),
    "a too long reason": (
        then_close(b"HTTP/1.1 200 %s\r\n\r\n" % _LONG),
        MalformedResponseError,
        "its status line or one of its header fields is too long",
    ),
    "too many headers": (
        then_close(b"HTTP/1.1 200 OK\r\n%s\r\n" % (b"X-Many: 1\r\n" * 10_000)),
        MalformedResponseError,
        "it has too many header fields",
    ),
    "two lengths": (
        then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        MalformedResponseError,
        "not valid HTTP",
    ),
    "a body that is no gzip": (
        then_close(answer(_BODY, headers={"Content-Encoding": "gzip"})),
        MalformedResponseError,
        "it is compressed, which was not asked for, and cannot be decompressed",
    ),
    "a compression that needs another library": (
        then_close(answer(_BODY, headers={"Content-Encoding": "br"})),
        MalformedResponseError,
        "it is compressed, which was not asked for, and cannot be decompressed",
    ),
    "a compression that aiohttp does not know": (
        answer(b"\x1f\x9d\x90{", headers={"Content-Encoding": "Compress"}),
        MalformedResponseError,
        "(it is compressed (Content-Encoding: compress), which was not asked for)",
    ),
    "no JSON": (answer(b"\x00\xff<<<"), MalformedResponseError, "not JSON"),
    "nothing": (answer(b""), MalformedResponseError, "empty"),
    "no content": (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        MalformedResponseError,
        "empty",
    ),
    "no envelope": (answer(b"[]"), MalformedResponseError, "not the documented envelope"),
    "another type of id": (
        answer(envelope({**on_the_wire(new_restream()), "id": None})),
        MalformedResponseError,
        "result.id: expected an integer or a string, got null",
    ),
    "switching protocols": (
        then_close(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tls\r\n\r\n"
        ),
        RestreamError,
        "",
    ),
}
"""The step of the server, the error, and some words of its text."""
