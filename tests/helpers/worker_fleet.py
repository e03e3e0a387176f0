"""Worker processes, commands for them, and their results."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
from nats.aio.client import Client

from restream_async import NewRestream
from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from restream_async.worker.nats_connection import jetstream_of
from tests.helpers.polling import until

ROOT = Path(__file__).parent.parent.parent
BAD = (
    b"no JSON at all: SECRET-stream-key-of-nobody",
    b'{"videoId": "v1", "streamKey": "SECRET-of-an-incomplete-one"}',
    b"[]",
    b'{"videoId": 7, "title": "t", "streamUrl": "rtmp://h/a", "streamKey": "SECRET", "status": 1}',
)


def wanted(number: int) -> NewRestream:
    return NewRestream(
        video_id=f"v{number % 37}",
        title=f"Title {number}",
        stream_url="rtmps://user:SECRET-password@live.example.com/app",
        stream_key=f"SECRET-key-{number:06}",
        status=True,
    )


async def publish_all(connection: Client, count: int) -> None:
    """Publish commands, with unusable ones among them."""
    jetstream = jetstream_of(connection)
    for number in range(count):
        await jetstream.publish("restreams.commands", encode(wanted(number)))
        if number % (count // len(BAD)) == 1:
            await jetstream.publish("restreams.commands", BAD[number * len(BAD) // count])


@attrs.define
class WorkerProcess:
    process: asyncio.subprocess.Process
    log_path: Path

    @classmethod
    async def start(
        cls, folder: Path, name: str, url: str, sandbox: Sandbox, *arguments: object
    ) -> "WorkerProcess":
        path = folder / f"{name}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.helpers.worker_process",
                *map(str, arguments),
                cwd=ROOT,
                env={
                    **os.environ,
                    "RESTREAM_BASE_URL": sandbox.base_url,
                    "RESTREAM_PROJECT_ID": sandbox.project_id,
                    "RESTREAM_API_KEY": sandbox.api_key,
                    "RESTREAM_NATS_URL": url,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return cls(process, path)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    async def end(self, number: signal.Signals, seconds: float = 15) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), seconds)


async def stored_count(sandbox: Sandbox, count: int, seconds: float) -> None:
    """Wait until so many restreams are stored."""
    await until(lambda: len(sandbox.stored) >= count, seconds, pause=0.02)


async def all_processed(connection: Client, seconds: float) -> None:
    """Wait until all commands are processed."""
    async with asyncio.timeout(seconds):
        while (await jetstream_of(connection).stream_info("RESTREAMS")).state.messages:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)


async def documents(connection: Client, stream: str) -> list[dict[str, Any]]:
    """Return all reports of a stream."""
    jetstream = jetstream_of(connection)
    count = (await jetstream.stream_info(stream)).state.messages
    messages = [await jetstream.get_msg(stream, seq) for seq in range(1, count + 1)]
    return [json.loads(message.data or b"") for message in messages]
