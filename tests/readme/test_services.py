"""The services and workers in the README.md files, each under its real framework."""

import ast
import asyncio
import inspect
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from restream_async.cli.commands.sandbox import sandbox as sandbox_command
from restream_async.sandbox import Sandbox
from tests.helpers.readmes import FILES, environment

DEADLINE = "deadline=10.0"
WANTED = {"title": "YouTube", "stream_url": "rtmp://h/a", "stream_key": "SECRET-of-a-service"}
EVENT = {"eventType": "live.video.created", "data": {"PublicId": "v9", "Title": "Show"}}
OFFLINE = {"eventType": "live.video.status.changed", "data": {"Id": "v9", "Status": "Offline"}}
DELETED = {"eventType": "live.video.deleted", "data": {"Id": "v9"}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def running(
    *command: str, folder: Path, sandbox: Sandbox, deadline: str = DEADLINE
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a recipe; at the end it is stopped, and must end well and without a secret."""
    for name, block in FILES.items():
        (folder / name).write_text(block.text.replace(DEADLINE, deadline))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env={**environment(sandbox), "YOUTUBE_KEY": "SECRET-of-youtube"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    said = output.decode()
    assert process.returncode in {0, -signal.SIGTERM}, said
    assert "SECRET" not in said
    assert "Unclosed" not in said
    assert "Traceback" not in said


async def post(url: str, body: object) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(200):
            try:
                async with session.post(url, data=data) as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
    raise TimeoutError(url)


@pytest.mark.parametrize("framework", ["fastapi", "aiohttp"])
async def test_b_8_a_service_creates_many_at_once_once_each_and_refuses_what_it_cannot_use(
    framework: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    command = {
        "fastapi": ("-m", "uvicorn", "service:app", "--port", str(port)),
        "aiohttp": ("-c", f"import web_service as w; w.web.run_app(w.app, port={port})"),
    }[framework]
    url = f"http://127.0.0.1:{port}/videos"

    unusable = [
        {**WANTED, "stream_url": "SECRET"},
        {name: text for name, text in WANTED.items() if name != "title"},
        {**WANTED, "title": 7},
        [WANTED],
        "title, stream_url, stream_key",
        None,
        b"{SECRET",
        b'{"title": "\xff", "stream_url": "rtmp://h/a", "stream_key": "SECRET"}',
        b"[" * 100_000,
        b"",
    ]

    async with running(*command, folder=tmp_path, sandbox=sandbox, deadline="deadline=1.0"):
        first = await post(f"{url}/v0/restreams", WANTED)
        rest = await asyncio.gather(
            *(post(f"{url}/v{number}/restreams", WANTED) for number in range(1, 30))
        )
        repeated = await post(f"{url}/v0/restreams", WANTED)
        refused = [await post(f"{url}/v1/restreams", body) for body in unusable]
        sandbox.outage = True
        async with asyncio.timeout(5):
            in_an_outage = await post(f"{url}/v99/restreams", WANTED)

    assert [status for status, _ in (first, *rest)] == [200] * 30
    assert len({json.loads(text)["id"] for _, text in (first, *rest)}) == 30
    assert repeated == first
    assert len(sandbox.stored) == 30
    assert [status for status, _ in refused] == [422] * len(unusable)
    assert in_an_outage[0] == 502
    assert "SECRET" not in str([refused, in_an_outage])


def test_b_8_every_example_of_a_service_has_a_deadline_that_suits_a_request() -> None:
    services = [FILES[name].text for name in ("service.py", "web_service.py", "webhooks.py")]

    assert [re.findall(r"deadline=[\d.]+", text) for text in services] == [[DEADLINE]] * 3


def test_b_8_the_example_for_aiohttp_listens_to_this_machine_only_beside_a_sandbox() -> None:
    (call,) = [
        node
        for node in ast.walk(ast.parse(FILES["web_service.py"].text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "web.run_app"
    ]
    options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}

    assert options["host"] == "127.0.0.1"
    assert options["port"] != inspect.signature(sandbox_command).parameters["port"].default


async def test_a_worker_of_your_own_creates_all_and_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running("own_worker.py", folder=tmp_path, sandbox=sandbox) as process:
        await asyncio.wait_for(process.wait(), 20)

    assert process.returncode == 0
    assert len(sandbox.stored) == 20


async def test_a_worker_of_your_own_that_is_told_to_end_reports_all_that_exists(
    tmp_path: Path,
) -> None:
    async with (
        Sandbox(latency=0.5) as sandbox,
        running("own_worker.py", folder=tmp_path, sandbox=sandbox) as process,
    ):
        async with asyncio.timeout(20):
            while sandbox.counts.in_flight < 8 or not sandbox.counts.posts:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        output = (await asyncio.wait_for(process.stdout.read(), 20)).decode()
        await process.wait()
        # What was sent and not waited for is stored all the same.
        await asyncio.sleep(1)
        existing = {str(stored.id) for stored in sandbox.stored}

    assert process.returncode == 0
    assert 8 <= len(existing) < 20
    assert set(re.findall(r"created: (\S+)", output)) == existing


async def test_a_worker_of_your_own_ends_well_on_sigterm(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.latency = 0.5
    async with running("own_worker.py", folder=tmp_path, sandbox=sandbox) as process:
        while not sandbox.counts.posts:  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)

    assert process.returncode == 0
    assert len(sandbox.stored) < 20


async def test_the_webhook_route_follows_its_rules_however_often_it_is_told(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks"

    async with running(
        "-m", "uvicorn", "webhooks:app", "--port", str(port), folder=tmp_path, sandbox=sandbox
    ):
        answers = [await post(url, event) for event in (EVENT, EVENT, {"eventType": "x"}, {})]
        created = sandbox.stored
        answers += [await post(url, event) for event in (OFFLINE, OFFLINE)]
        disabled = sandbox.stored
        answers += [await post(url, event) for event in (DELETED, DELETED)]

    assert [status for status, _ in answers] == [204, 204, 204, 400, 204, 204, 204, 204]
    assert [(item.title, item.status) for item in created] == [("YouTube: Show", True)]
    assert [(item.title, item.status) for item in disabled] == [("YouTube: Show", False)]
    assert sandbox.stored == ()
