"""The commands and the producer of the README.md files, with a real NATS server."""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.nats_server import NatsServer
from tests.helpers.readmes import BLOCKS, FILES, commands, environment
from tests.helpers.varnish import closed_port
from tests.helpers.worker_fleet import stored_count

READMES = ("README.md", "restream_async/worker/README.md")


def commands_of(readme: str) -> list[list[str]]:
    """Return the words of each command."""
    shell = [block for block in BLOCKS if block.readme == readme and block.language == "sh"]
    return [
        command.partition(" #")[0].split()
        for block in shell
        if "nats" in block.text
        for command in commands(block)
    ]


@pytest.fixture
def port() -> Iterator[str]:
    with closed_port() as port:
        yield str(port)


@pytest.mark.parametrize("readme", READMES)
async def test_the_commands_bring_a_file_to_the_service_and_a_producer_learns_what_came_of_it(
    readme: str, port: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "restreams.csv").write_text(
        "videoId,title,streamUrl,streamKey,status\n"
        + "".join(f"v{number},YouTube,rtmp://h/a,SECRET-{number},true\n" for number in range(20))
    )
    (tmp_path / "producer.py").write_text(FILES["producer.py"].text)
    shell = commands_of(readme)
    (server,) = [words for words in shell if words[0] == "nats-server"]
    (address,) = [words[1].partition("=")[2] for words in shell if words[0] == "export"]
    put, work = [words for words in shell if words[0] == "restream-async"]
    settings = {**environment(sandbox), "RESTREAM_NATS_URL": address.replace("4222", port)}
    said: list[str] = []

    @asynccontextmanager
    async def started(*command: str) -> AsyncGenerator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=tmp_path,
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            said.append(output.decode())

    async def run(*command: str) -> str:
        async with started(*command) as process:
            # It says too little to fill a pipe.
            assert await asyncio.wait_for(process.wait(), 30) == 0
        return said[-1]

    async with started(*server, "-p", port):
        await listening(port)
        await run(*put)
        async with started(*work) as worker:
            produced = [await run(sys.executable, "producer.py") for _ in range(2)]
            await stored_count(sandbox, 21, 30)

    assert worker.returncode == 0
    (theirs,) = [item for item in sandbox.stored if item.stream_key == "live_8_secret"]
    assert produced == [f"created {theirs.id} \n"] * 2, "the second one was dropped"
    assert len(sandbox.stored) == 21
    assert not re.search(r"SECRET|live_8|callback for", "".join(said))


@pytest.mark.parametrize("way", ["command", "program"])
async def test_a_worker_tells_its_health(
    way: str, nats_server: NatsServer, sandbox: Sandbox, port: str, tmp_path: Path
) -> None:
    program = FILES["worker_with_health.py"].text
    (tmp_path / "worker.py").write_text(program.replace("port=9465", f"port={port}"))
    (words,) = [
        command.split()
        for block in BLOCKS
        if block.language == "sh"
        for command in commands(block)
        if command.startswith("restream-async worker --health")
    ]
    work = [sys.executable, "worker.py"] if way == "program" else [*words[:-1], port]
    process = await asyncio.create_subprocess_exec(
        *work,
        cwd=tmp_path,
        env={**environment(sandbox), "RESTREAM_NATS_URL": nats_server.url},
        stderr=subprocess.PIPE,
    )
    try:
        await listening(port)
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(20):
                while not await ready(session, port):  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(0.02)
            async with session.get(f"http://127.0.0.1:{port}/metrics") as metrics:
                assert "restream_worker_slots" in await metrics.text()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0


async def ready(session: aiohttp.ClientSession, port: str) -> bool:
    async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
        return response.status == 200


async def listening(port: str) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", int(port))
                writer.close()
                return
            await asyncio.sleep(0.02)
