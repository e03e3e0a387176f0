"""Gcore's API for creating restreams, in front of the sandbox, so that its SDK can take part.

It translates the route and its body, and the body of a success:

    POST /streaming/restreams   {"restream": {"stream_id", "name", "uri", "active"}}
    {"id", "stream_id", "name", "uri", "active"}

Everything else passes unchanged, and a connection that the sandbox resets is reset here too: the
SDK meets the same faults as all others. Gcore has one `uri` where the sandbox has a stream URL and
a stream key; the key follows the last slash.
"""

import asyncio
import json
import re
import socket
import struct
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from restream_async.sandbox import Sandbox

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CREATE: Final = b"POST /streaming/restreams HTTP/1.1\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
# With a linger time of 0, closing sends RST instead of FIN.
_NO_LINGER: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class GcoreShim:
    """A port with Gcore's API; an asynchronous context manager."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Describe the port; the sandbox must be open."""
        parts = urlsplit(sandbox.base_url)
        self._host, self._port = parts.hostname, parts.port
        self._preamble = (
            f"POST /api/v1/{sandbox.project_id}/restreams HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\n"
            f"Authorization: {sandbox.api_key}\r\n"
            "Content-Type: application/json\r\n"
        )
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """`http://host:port`."""
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        """Open the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port and every connection."""
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._forward(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one request after another, on one connection to the sandbox."""
        inner_reader, inner_writer = await asyncio.open_connection(self._host, self._port)
        try:
            while True:
                head, body = await _message(reader)
                if not head.startswith(_CREATE):
                    writer.write(_NOT_FOUND)
                    continue
                inner_writer.write(self._creation(body))
                try:
                    answer_head = await inner_reader.readuntil(_HEAD_END)
                except (asyncio.IncompleteReadError, ConnectionError):
                    _reset(writer)
                    return
                try:
                    answer_body = await inner_reader.readexactly(_length(answer_head))
                except asyncio.IncompleteReadError as cut:
                    writer.write(answer_head + cut.partial)
                    return
                writer.write(_translated(answer_head, answer_body))
                await writer.drain()
        finally:
            inner_writer.close()

    def _creation(self, body: bytes) -> bytes:
        request = json.loads(body)["restream"]
        stream_url, _, stream_key = request["uri"].rpartition("/")
        create = {
            "videoId": f"v{request['stream_id']}",
            "title": request["name"],
            "streamUrl": stream_url,
            "streamKey": stream_key,
            "status": request["active"],
        }
        payload = json.dumps(create).encode()
        return f"{self._preamble}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(_HEAD_END)
    return head, await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def _translated(head: bytes, body: bytes) -> bytes:
    """Return a success as Gcore would say it, anything else as it is."""
    try:
        envelope = json.loads(body)
    except ValueError:
        return head + body
    if not envelope["success"]:
        return head + body
    payload = json.dumps(_in_gcores_words(envelope["result"])).encode()
    return _LENGTH.sub(b"Content-Length: %d" % len(payload), head) + payload


def _in_gcores_words(result: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": result["id"],
        "stream_id": int(result["videoId"].removeprefix("v")),
        "name": result["title"],
        "uri": f"{result['streamUrl']}/{result['streamKey']}",
        "active": result["status"],
    }


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
