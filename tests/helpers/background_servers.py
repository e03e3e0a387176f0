"""Servers beside a test that runs the command line in the main thread, where signals arrive."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.nats_options import NatsOptions, close
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import all_done, wanted

_T = TypeVar("_T")

HEADER = "videoId,title,streamUrl,streamKey,status\n"


@attrs.define
class Backstage:
    """A NATS server and a sandbox, on the event loop of another thread."""

    loop: asyncio.AbstractEventLoop
    nats: NatsServer
    sandbox: Sandbox
    connection: Client

    callers: int = 0
    closing: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def when(
        self, happened: Callable[[], bool], then: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """Do something there as soon as something else has happened."""

        async def watch() -> None:
            async with asyncio.timeout(20):
                while not happened():  # noqa: ASYNC110 - asked, not told
                    await asyncio.sleep(0.005)
            await then()

        asyncio.run_coroutine_threadsafe(watch(), self.loop)

    def signal_when(
        self, happened: Callable[[], bool], number: signal.Signals = signal.SIGTERM
    ) -> None:
        """Send this process a signal as soon as something has happened."""

        async def send() -> None:
            os.kill(os.getpid(), number)

        self.when(happened, send)

    def signal_when_all_done(self) -> None:
        """Send this process SIGTERM as soon as no command is left on the stream."""

        async def watch() -> None:
            await all_done(self.connection, 30)
            os.kill(os.getpid(), signal.SIGTERM)

        asyncio.run_coroutine_threadsafe(watch(), self.loop)

    def silent_server(self) -> str:
        """Return the address of somebody who takes every call, and never says a word."""

        def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.callers += 1
            self.closing.append(writer.close)

        server = self.run(asyncio.start_server(called, "127.0.0.1", 0))
        self.closing.append(server.close)
        return f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def backstage(folder: Path) -> Generator[Backstage]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    nats, sandbox = NatsServer(folder), Sandbox()
    run(nats.start())
    run(sandbox.__aenter__())
    connection = run(NatsOptions(url=nats.url).connect())
    stage = Backstage(loop, nats, sandbox, connection)
    try:
        yield stage
    finally:
        for each in stage.closing:
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
