"""Servers in another thread, for tests that run the command line in the main thread.

Only the main thread gets signals.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.command_publishing import CommandStream
from restream_async.worker.nats_connection import NatsOptions, close
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until
from tests.helpers.worker_fleet import all_processed, wanted

_T = TypeVar("_T")

HEADER = "videoId,title,streamUrl,streamKey,status\n"


@attrs.define
class BackgroundServers:
    """A NATS server and a sandbox, on the event loop of another thread."""

    loop: asyncio.AbstractEventLoop
    nats: NatsServer
    sandbox: Sandbox
    connection: Client

    callers: int = 0
    closing: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the other thread, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def when(
        self, happened: Callable[[], bool], then: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """Run a coroutine in the other thread as soon as `happened` returns true."""

        async def watch() -> None:
            await until(happened, pause=0.005)
            await then()

        asyncio.run_coroutine_threadsafe(watch(), self.loop)

    def signal_when(
        self, happened: Callable[[], bool], number: signal.Signals = signal.SIGTERM
    ) -> None:
        """Send this process a signal as soon as `happened` returns true."""

        async def send() -> None:
            os.kill(os.getpid(), number)

        self.when(happened, send)

    def signal_when_all_processed(self) -> None:
        """Send this process SIGTERM as soon as all commands on the stream are processed."""

        async def watch() -> None:
            await all_processed(self.connection, 30)
            os.kill(os.getpid(), signal.SIGTERM)

        asyncio.run_coroutine_threadsafe(watch(), self.loop)

    def signal_in_an_outage(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Stop NATS as a command is published, then send SIGTERM; the list gets the moment."""
        moments: list[float] = []
        put = CommandStream.put

        async def put_while_away(stream: CommandStream, *arguments: Any, **options: Any) -> bool:  # noqa: ANN401
            moments.append(time.monotonic())
            await asyncio.to_thread(lambda: self.run(self.nats.stop()))
            signal.raise_signal(signal.SIGTERM)
            return await put(stream, *arguments, **options)

        monkeypatch.setattr(CommandStream, "put", put_while_away)
        return moments

    def silent_server(self) -> str:
        """Start a server that accepts every connection and never answers; return its address."""

        def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.callers += 1
            self.closing.append(writer.close)

        server = self.run(asyncio.start_server(called, "127.0.0.1", 0))
        self.closing.append(server.close)
        return f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def background_servers(folder: Path) -> Generator[BackgroundServers]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    nats, sandbox = NatsServer(folder), Sandbox()
    run(nats.start())
    run(sandbox.__aenter__())
    connection = run(NatsOptions(url=nats.url).connect())
    servers = BackgroundServers(loop, nats, sandbox, connection)
    try:
        yield servers
    finally:
        for each in servers.closing:
            loop.call_soon_threadsafe(each)
        run(close(connection))
        run(sandbox.__aexit__(None, None, None))
        run(nats.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def csv(folder: Path, count: int) -> str:
    path = folder / "restreams.csv"
    rows = [
        f"{each.video_id},{each.title},{each.stream_url},{each.stream_key},true\n"
        for each in map(wanted, range(count))
    ]
    path.write_text(HEADER + "".join(rows))
    return str(path)
