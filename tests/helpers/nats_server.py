"""A real NATS server with JetStream, on a port of its own, that can be restarted."""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_EXECUTABLE: Final = (
    shutil.which("nats-server", path=str(Path(sys.executable).parent))
    or shutil.which("nats-server")
    or "nats-server"
)


class NatsServer:
    """One server. Its streams survive a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arguments: list[str] = []
        self.jetstream = True
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        with (self.folder / "nats.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                _EXECUTABLE,
                "-a",
                "127.0.0.1",
                "-p",
                str(self.port),
                *(["-js", "-sd", str(self.folder / "store")] if self.jetstream else []),
                *self.arguments,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(1000):
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                await reader.readline()
                writer.close()
                return
            await asyncio.sleep(0.01)
        raise TimeoutError((self.folder / "nats.log").read_text())

    def send(self, number: signal.Signals) -> None:
        """Send the server a signal, such as SIGSTOP, which makes it silent."""
        if self._process is not None:
            self._process.send_signal(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()
            self._process = None

    async def restart(
        self, number: signal.Signals = signal.SIGTERM, *, lose_streams: bool = False
    ) -> None:
        await self.stop(number)
        if lose_streams:
            shutil.rmtree(self.folder / "store")
        await self.start()

    @property
    def log(self) -> str:
        return (self.folder / "nats.log").read_text()
