"""Three NATS servers as the chapter configures them, of which the leader is killed."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import nats.js.errors
import pytest_asyncio
from nats.aio.client import Client

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from restream_async.worker.nats_connection import NATS_ERRORS, NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until
from tests.helpers.readmes import FILES, environment
from tests.helpers.varnish import closed_port
from tests.helpers.worker_fleet import all_processed, stored_count, wanted

NAMES = ("nats-1", "nats-2", "nats-3")
COUNT = 100

T = TypeVar("T")


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[dict[str, NatsServer]]:
    with ExitStack() as ports:
        routes = {name: str(ports.enter_context(closed_port())) for name in NAMES}
        servers = {name: server_of(name, routes, tmp_path) for name in NAMES}
        await asyncio.gather(*(server.start() for server in servers.values()))
        yield servers
        await asyncio.gather(*(server.stop(signal.SIGKILL) for server in servers.values()))


def server_of(name: str, routes: dict[str, str], folder: Path) -> NatsServer:
    """Return a server with the chapter's configuration, on ports and in a folder of its own."""
    home = folder / name
    home.mkdir()
    text = FILES["nats.conf"].text.replace("server_name: nats-1", f"server_name: {name}")
    text = text.replace("/var/lib/nats", str(home / "store"))
    text = text.replace("0.0.0.0:6222", f"127.0.0.1:{routes[name]}")
    text = re.sub(r"//(nats-\d):6222", lambda found: f"//127.0.0.1:{routes[found[1]]}", text)
    (home / "nats.conf").write_text(text)
    server = NatsServer(home)
    server.jetstream = False  # the configuration says it
    server.arguments = ["-c", str(home / "nats.conf")]
    return server


@pytest_asyncio.fixture
async def connection(cluster: dict[str, NatsServer]) -> AsyncIterator[Client]:
    connection = await NatsOptions(url=url_of(cluster)).connect()
    yield connection
    await close(connection)


async def answer(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: without a leader the servers give none."""
    async with asyncio.timeout(40):
        while True:
            try:
                return await ask()
            except (nats.js.errors.APIError, *NATS_ERRORS):
                await asyncio.sleep(0.05)


def url_of(cluster: dict[str, NatsServer]) -> str:
    return ",".join(server.url for server in cluster.values())


async def test_work_goes_on_while_one_server_of_three_is_dead(
    cluster: dict[str, NatsServer], connection: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    jetstream = jetstream_of(connection)
    await answer(jetstream.account_info)
    await declare_streams(jetstream, Subjects(), replicas=3)
    for number in range(COUNT):
        await jetstream.publish("restreams.commands", encode(wanted(number)))
    info = await jetstream.stream_info("RESTREAMS")
    assert info.config.num_replicas == 3
    assert info.cluster is not None
    leader = cluster[info.cluster.leader or ""]

    sandbox.latency = 0.05
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "restream_async.cli", "worker"),
        *("--places", "8", "--ack-wait", "1", "--replicas", "3"),
        cwd=tmp_path,
        env={**environment(sandbox), "RESTREAM_NATS_URL": url_of(cluster)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        await until(lambda: sandbox.stored)
        await leader.stop(signal.SIGKILL)
        stored = len(sandbox.stored)
        await stored_count(sandbox, COUNT, 40)
        # On a busy machine the cluster confirms acknowledgements later than within this ack-wait.
        await answer(lambda: all_processed(connection, 20))
    finally:
        worker.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(worker.communicate(), 20)
    left = await answer(lambda: jetstream.stream_info("RESTREAMS"))

    assert stored < COUNT, "it was killed on the way"
    assert worker.returncode == 0, output.decode()
    assert len(sandbox.stored) == COUNT
    assert left.state.messages == 0
