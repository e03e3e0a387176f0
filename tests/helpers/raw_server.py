"""A server of bytes: it reads requests as HTTP has them, and answers whatever it is told to."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import attrs

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

# Closing with a linger time of nought is what makes TCP send RST instead of FIN.
_NO_LINGER: Final = struct.pack("ii", 1, 0)
TASK_NAME: Final = "raw server"


@attrs.frozen
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.sent = 0

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        if sock := self.writer.get_extra_info("socket"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has left."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Act: TypeAlias = "Callable[[Peer, Seen], Awaitable[None]]"
Step: TypeAlias = "bytes | Act"


def then_close(data: bytes = b"") -> Act:
    async def act(peer: Peer, _: Seen) -> None:
        await peer.write(data)
        peer.close()

    return act


def then_reset(data: bytes = b"") -> Act:
    async def act(peer: Peer, _: Seen) -> None:
        await peer.write(data)
        # What was written must arrive: a reset drops what is still in the buffers.
        await asyncio.sleep(0.005 if data else 0)
        peer.reset()

    return act


def then_hang(data: bytes = b"") -> Act:
    async def act(peer: Peer, _: Seen) -> None:
        await peer.write(data)
        await peer.gone()

    return act


def drip(head: bytes, drop: bytes, pause: float = 0.003) -> Act:
    """Send `head`, then a drop every few milliseconds, for ever."""

    async def act(peer: Peer, _: Seen) -> None:
        await peer.write(head)
        while not peer.writer.is_closing():
            await peer.write(drop)
            await asyncio.sleep(pause)

    return act


def pour(head: bytes, chunk: bytes, most: int) -> Act:
    """Send `head`, then as many chunks as the client takes, up to so many bytes."""

    async def act(peer: Peer, _: Seen) -> None:
        await peer.write(head)
        while peer.sent < most:
            await peer.write(chunk)
        await peer.gone()

    return act


class RawServer:
    """Answers the n-th request of a method with the n-th step for it; the last one repeats."""

    def __init__(
        self,
        *,
        post: Step | Sequence[Step] = (),
        get: Step | Sequence[Step] = (),
        put: Step | Sequence[Step] = (),
        delete: Step | Sequence[Step] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._scripts = {
            method: [script] if isinstance(script, bytes) or callable(script) else list(script)
            for method, script in (("POST", post), ("GET", get), ("PUT", put), ("DELETE", delete))
        }
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()
        self.peers: list[Peer] = []
        self.requests: list[Seen] = []
        self.unexpected: list[Seen] = []
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def counts(self) -> dict[str, int]:
        """How many requests of each method have arrived."""
        return dict(Counter(request.method for request in self.requests))

    @property
    def order(self) -> str:
        """The methods in the order in which they arrived."""
        return " ".join(request.method for request in self.requests)

    @property
    def sent(self) -> int:
        """How many bytes the clients took, or the kernel for them."""
        return sum(peer.sent for peer in self.peers)

    async def arrived(self, count: int = 1, method: str = "") -> None:
        """Wait until so many requests have come, of one method or of any."""
        await self._wait_for(
            lambda: (self.counts.get(method, 0) if method else len(self.requests)) >= count
        )

    async def connected(self) -> None:
        """Wait until somebody has connected."""
        await self._wait_for(lambda: bool(self.peers))

    async def _wait_for(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not happened():
                self._news.clear()
                await self._news.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, limit=2**24, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for peer in self.peers:
            peer.writer.transport.abort()
            # What nobody has looked at is complained about, and resets are nothing special here.
            with suppress(OSError):
                await peer.writer.wait_closed()
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self.unexpected == []

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        self._news.set()
        task = asyncio.create_task(self._serve(peer), name=TASK_NAME)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer) -> None:
        connection = len(self.peers)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not peer.writer.is_closing():
                await self._answer(peer, await _request(peer, connection))

    async def _answer(self, peer: Peer, seen: Seen) -> None:
        self.requests.append(seen)
        self._news.set()
        script = self._scripts.get(seen.method)
        if not script:
            self.unexpected.append(seen)
            peer.close()
            return
        nth = sum(request.method == seen.method for request in self.requests)
        step = script[min(nth, len(script)) - 1]
        if isinstance(step, bytes):
            await peer.write(step)
        else:
            await step(peer, seen)


async def _request(peer: Peer, connection: int) -> Seen:
    head = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await peer.reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body, connection)
