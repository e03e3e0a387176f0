"""Passes bytes on to a local port: a forward proxy that answers CONNECT, or the end of TLS."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tests.helpers.raw_server import TASK_NAME

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Relay:
    """Leads every connection to `port`, whatever host it asks for.

    Attributes:
        port: where to.
        heads: each CONNECT request, as it came.
        answer: what it says to them; what is not `CONNECTED` ends the connection. None: it waits
            for none of them.

    """

    def __init__(
        self, port: int, *, answer: bytes | None = CONNECTED, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self.heads: list[str] = []
        self.answer = answer
        self.here = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.here}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, backlog=512
        )
        self.here = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for writer in self._writers:
            # What nobody has looked at is complained about, and resets are nothing special here.
            with suppress(OSError):
                await writer.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every connection at once, as a proxy does that is killed."""
        for writer in self._writers:
            writer.transport.abort()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start(self._serve(reader, writer))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=TASK_NAME)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            if self.answer is not None:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.answer)
                if self.answer != CONNECTED:
                    writer.close()
                    return
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
            self._writers.add(back)
            self._start(_pass_on(there, writer))
            await _pass_on(reader, back)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
