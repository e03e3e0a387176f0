"""The limit of what asyncio can do: it sends and receives bytes, and looks at none."""

import asyncio
import json
import re
from typing import Final, cast
from urllib.parse import urlsplit

from benchmarks.service import Address

_LENGTH: Final = re.compile(rb"content-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection. It sends the same request again after each response."""

    _transport: asyncio.Transport

    def __init__(self, request: bytes, left: list[None]) -> None:
        self._request = request
        self._left = left
        self._size = 0
        self._received = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        if not self._size:
            # All responses have the size of the first one.
            self._size = data.index(_HEAD_END) + len(_HEAD_END) + _length(data)
        self._received += len(data)
        if self._received >= self._size:
            self._received -= self._size
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("nginx has gone"))

    def _next(self) -> None:
        if self._left:
            self._left.pop()
            self._transport.write(self._request)
        else:
            self.done.set_result(None)
            self._transport.close()


async def exchange(
    address: Address, body: dict[str, str | bool], count: int, connections: int
) -> None:
    """Send so many requests on so many connections."""
    parts = urlsplit(address.route)
    host, port = str(parts.hostname), int(parts.port or 80)
    payload = json.dumps(body).encode()
    request = (
        f"POST {parts.path} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\n"
        f"Authorization: {address.api_key}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    ).encode() + payload
    left = [None] * count
    loop = asyncio.get_running_loop()
    running: list[_Connection] = []
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(request, left), host, port)
        running.append(connection)
    await asyncio.gather(*(connection.done for connection in running))


def _length(answer: bytes) -> int:
    found = _LENGTH.search(answer)
    if found is None:
        raise AssertionError("nginx always sends a Content-Length")
    return int(found[1])
