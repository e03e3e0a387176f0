"""The health endpoint of a real worker, on a real NATS server and a sandbox of the service."""

import asyncio
import contextlib
import itertools
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any
from unittest.mock import Mock

import aiohttp
import attrs
import nats.errors
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.js import JetStreamContext
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from restream_async import ConfigurationError, RestreamClient, RetryPolicy, __version__
from restream_async._util.clock import Clock
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.activity import Activity
from restream_async.worker.errors import WorkerEndedError
from restream_async.worker.health import serve_health
from restream_async.worker.health_address import HealthAddress
from restream_async.worker.nats_connection import NatsOptions, jetstream_of
from restream_async.worker.run import run_worker
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.clients import client_of
from tests.helpers.nats_identities import operator_mode
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import BAD, publish_all

_MESSAGES = "restream_worker_messages_total"


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.pull_loop._FETCH_SECONDS", 0.2)


@pytest.fixture(autouse=True)
def _own_handlers() -> Generator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def address() -> HealthAddress:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return HealthAddress(port=taken.getsockname()[1])


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Ask until a condition holds."""
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)


@attrs.define
class Probes:
    """Asks a health endpoint."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        async with self.session.request(method, f"{self.url}{path}") as response:
            return response.status, (await response.text()).rstrip()

    async def until(self, path: str, status: int, text: str) -> None:
        """Ask until the answer is this one."""
        found: object = None

        async def has_come() -> bool:
            nonlocal found
            found = await self.ask(path)
            return found == (status, text)

        try:
            await until(has_come)
        except TimeoutError:
            raise AssertionError(found) from None

    async def metrics(self) -> dict[str, float]:
        """Return the samples of `/metrics`, by name and labels."""
        _, text = await self.ask("/metrics")
        return {
            # A label that other samples have is empty.
            " ".join([sample.name, *filter(None, sample.labels.values())]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest_asyncio.fixture
async def probes(address: HealthAddress) -> AsyncGenerator[Probes]:
    timeout = aiohttp.ClientTimeout(5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Probes(session, f"http://{address.host}:{address.port}")


@pytest.fixture
def worker(
    nats_server: NatsServer, sandbox: Sandbox, address: HealthAddress, probes: Probes
) -> "RunningWorker":
    return RunningWorker(nats_server, sandbox, address, probes)


@attrs.define
class RunningWorker:
    """A worker with a health endpoint."""

    nats_server: NatsServer
    sandbox: Sandbox
    address: HealthAddress
    probes: Probes
    options: NatsOptions | None = None

    @contextlib.asynccontextmanager
    async def running(self, concurrency: int = 4) -> AsyncGenerator["asyncio.Task[None]"]:
        """Run it until it is ready, and while the block runs."""
        settings = WorkerSettings(concurrency=concurrency, health=self.address, ack_wait=2.0)
        task = asyncio.create_task(
            run_worker(
                self.options or NatsOptions(url=self.nats_server.url), settings, self._client
            )
        )
        try:
            await until(self._answers)
            await self.probes.until("/readyz", 200, "ready")
            yield task
        finally:
            if not task.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(task, 15)

    async def _answers(self) -> bool:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            await self.probes.ask("/livez")
            return True
        return False

    def _client(self, **telemetry: Any) -> RestreamClient:  # noqa: ANN401 - of a client
        retry = RetryPolicy(attempts=3, base=0.05, cap=0.2, deadline=10.0)
        return client_of(self.sandbox, clock=Clock(), timeout=30.0, retry=retry, **telemetry)


async def test_without_nats_a_worker_is_alive_and_not_ready_until_nats_is_back(
    worker: RunningWorker, nats_server: NatsServer, probes: Probes
) -> None:
    async with worker.running():
        assert await probes.ask("/livez") == (200, "alive")
        assert (await probes.metrics())["restream_worker_nats_connected"] == 1

        await nats_server.stop(signal.SIGKILL)
        await probes.until("/readyz", 503, "the connection to the NATS server is lost")
        assert await probes.ask("/livez") == (200, "alive")
        metrics = await probes.metrics()
        assert metrics["restream_worker_nats_connected"] == metrics["restream_worker_ready"] == 0

        await nats_server.start()
        await probes.until("/readyz", 200, "ready")
        assert (await probes.metrics())["restream_worker_ready"] == 1


async def test_an_outage_of_the_service_is_named_and_leaves_a_worker_ready(
    worker: RunningWorker,
    connection: Client,
    sandbox: Sandbox,
    probes: Probes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    monkeypatch.setattr("restream_async._load.circuit_breaker._LONGEST_INTERVAL", 0.5)
    sandbox.faults = Faults(retry_after=None)
    async with worker.running():
        sandbox.outage = True
        await publish_all(connection, 30)
        answer = (0, "")

        async def names_it() -> bool:
            nonlocal answer
            answer = await probes.ask("/readyz")
            return answer != (200, "ready")

        await until(names_it)
        held = "ready\nthe service cannot be reached, so messages are held: "
        assert (answer[0], answer[1][: len(held)]) == (200, held)
        sandbox.outage = False
        await probes.until("/readyz", 200, "ready")


async def test_while_a_worker_drains_it_is_alive_and_not_ready(
    worker: RunningWorker, connection: Client, sandbox: Sandbox, probes: Probes
) -> None:
    sandbox.latency = lambda _: 1.0 if sandbox.counts.posts else 0.0
    async with worker.running() as task:
        await publish_all(connection, 4)

        async def all_have_begun() -> bool:
            return (await probes.metrics())["restream_worker_in_progress"] == 4

        await until(all_have_begun)
        os.kill(os.getpid(), signal.SIGTERM)
        await probes.until("/readyz", 503, "stopping; messages in progress: 4")
        assert await probes.ask("/livez") == (200, "alive")
        await task

    with pytest.raises(aiohttp.ClientConnectionError):
        await probes.ask("/livez")
    assert len(sandbox.stored) == 4, "they have finished"


async def test_a_thousand_creations_are_counted_while_they_happen(
    worker: RunningWorker, connection: Client, sandbox: Sandbox, probes: Probes
) -> None:
    sandbox.faults = Faults(after={Fault.BACKEND_FETCH_FAILED: 0.02}, retry_after=None)
    await declare_streams(jetstream_of(connection), Subjects())
    await publish_all(connection, 1_000)
    seen: list[dict[str, float]] = []
    async with worker.running(concurrency=32), asyncio.timeout(60):
        while not seen or _sum(seen[-1], _MESSAGES) < 1_000 + len(BAD):
            seen.append(await probes.metrics())
            await asyncio.sleep(0.02)

    last = seen[-1]
    assert last[f"{_MESSAGES} done"] == len(sandbox.stored) == 1_000
    assert last[f"{_MESSAGES} dead"] == len(BAD)
    requests = sandbox.counts.posts + sandbox.counts.lists
    assert _sum(last, "restream_attempts_total") == requests
    assert _sum(last, "http_client_request_duration_seconds_count") == requests
    created = [name for name in last if re.match("restream_creations_total .* created", name)]
    assert sum(last[name] for name in created) == 1_000
    assert (
        last["restream_worker_in_progress"] == last["restream_worker_publish_failures_total"] == 0
    )
    assert last["restream_worker_slots"] == 32
    assert last[f"restream_build_info {__version__}"] == 1
    assert last["process_resident_memory_bytes"] > 0
    assert len({_sum(each, _MESSAGES) for each in seen}) > 5, "it was scraped meanwhile"
    for before, after in itertools.pairwise(seen):
        for name in before:
            assert after[name] >= before[name] or not name.partition(" ")[0].endswith("_total")


def _sum(metrics: dict[str, float], name: str) -> float:
    """Return the sum over all labels."""
    return sum(value for each, value in metrics.items() if each.startswith(f"{name} "))


def _impatient(connection: Client) -> JetStreamContext:
    return connection.jetstream(timeout=0.5)  # pyright: ignore[reportUnknownMemberType] - untyped keywords


async def _end_of_running(worker: RunningWorker, then: Callable[[], object]) -> None:
    async with worker.running() as task:
        then()
        await asyncio.wait([task], timeout=10)


@pytest_asyncio.fixture
async def _close_refused(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """Close the connections whose login was refused: nats-py leaves them open."""
    writers: list[asyncio.StreamWriter] = []
    connect = asyncio.open_connection

    async def connected(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        reader, writer = await connect(*arguments, **options)
        writers.append(writer)
        return reader, writer

    monkeypatch.setattr("asyncio.open_connection", connected)
    yield
    for each in writers:
        each.close()
        with contextlib.suppress(OSError):
            await each.wait_closed()


@pytest.mark.usefixtures("_close_refused")
async def test_a_worker_whose_login_is_refused_from_now_on_ends_with_the_reason(
    worker: RunningWorker,
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.2)
    monkeypatch.setattr("restream_async.worker.run.jetstream_of", _impatient)
    users = nats_server.folder / "nats.conf"
    users.write_text('authorization { users = [{user: "u", password: "SECRET"}] }')
    nats_server.arguments = ["-c", str(users)]
    await nats_server.restart()
    worker.options = NatsOptions(url=nats_server.url.replace("//", "//u:SECRET@"))

    # As a server would that repeats what it got.
    said = nats.errors.Error("nats: 'Authorization Violation' of SECRET")
    monkeypatch.setattr(Client, "last_error", said)

    def revoke() -> None:
        users.write_text('authorization { users = [{user: "v", password: "SECRET"}] }')
        nats_server.send(signal.SIGHUP)

    with pytest.raises(WorkerEndedError, match=r"refuses the login \(.*Authorization Violation"):
        await _end_of_running(worker, revoke)

    assert "refuses the login" in caplog.text
    assert "SECRET" not in caplog.text


async def test_a_worker_whose_connection_is_closed_for_good_ends_with_the_reason(
    worker: RunningWorker,
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.2)
    await nats_server.stop()
    config, credentials = operator_mode(nats_server.folder, time.time() + 3)
    (nats_server.folder / "nats.conf").write_text(config)
    nats_server.arguments = ["-c", str(nats_server.folder / "nats.conf")]
    await nats_server.start()
    worker.options = NatsOptions(url=nats_server.url, credentials=credentials)

    with pytest.raises(WorkerEndedError, match=r"closed the connection for good .*expired"):
        await _end_of_running(worker, lambda: None)

    assert "closed the connection for good" in caplog.text


@pytest.mark.parametrize(
    ("host", "problem"),
    [("127.0.0.1", "Address already in use"), ("nobody.invalid", "there is no such host")],
)
async def test_an_address_that_cannot_be_used_is_an_error_before_anything_else(
    host: str, problem: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = WorkerSettings(health=HealthAddress(host=host, port=port))
        with pytest.raises(
            ConfigurationError, match=f"cannot listen on {host}, port {port}: {problem}$"
        ):
            await run_worker(NatsOptions(url="nats://127.0.0.1:1"), settings)


async def test_a_free_port_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with serve_health(HealthAddress(host="::1", port=0), Activity()):
        """Nothing is asked."""

    assert re.search(r"health endpoint: http://\[::1\]:[1-9]\d+/readyz", caplog.text)


@pytest_asyncio.fixture
async def endpoint(address: HealthAddress, probes: Probes) -> AsyncGenerator[Probes]:
    """Return the probes of an endpoint without a worker."""
    async with serve_health(address, Activity()):
        yield probes


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/livez", 200),
        ("HEAD", "/readyz", 503),
        ("HEAD", "/metrics", 200),
        ("GET", "/readyz", 503),
        ("GET", "/", 404),
        ("GET", "/livez/x", 404),
        ("POST", "/livez", 405),
    ],
)
async def test_only_get_and_head_of_three_paths_are_answered(
    method: str, path: str, status: int, endpoint: Probes
) -> None:
    found, text = await endpoint.ask(path, method)
    assert found == status
    assert not text or method != "HEAD"


async def test_metrics_come_as_openmetrics_too(endpoint: Probes) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with endpoint.session.get(f"{endpoint.url}/metrics", headers=accept) as response:
        assert response.content_type == "application/openmetrics-text"
        families: Any = openmetrics.text_string_to_metric_families(await response.text())  # type: ignore[no-untyped-call]
        names = {family.name for family in families}
    assert "restream_worker_messages" in names


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\r\nHost:",
        b"POST /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n" * 20,
    ],
    ids=["half a request", "a body without end", "answers that are not read"],
)
async def test_a_slow_caller_does_not_hold_the_end(sent: bytes, address: HealthAddress) -> None:
    # A long answer, of which no kernel takes twenty.
    stats = Mock(state="open", last_error="x" * 1_000_000)
    connection = Mock(is_connected=True, is_closed=False)
    activity = Activity(connection=connection, client=Mock(stats=lambda: stats), pulling=1)
    with contextlib.ExitStack() as stack:
        async with serve_health(address, activity):
            caller = stack.enter_context(socket.socket())
            # So little room that answers wait in the server.
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            caller.connect((address.host, address.port))
            caller.sendall(sent)
            await asyncio.sleep(0.5)
            end = time.monotonic()
        assert time.monotonic() - end < 1.0


def test_without_a_health_endpoint_none_of_its_libraries_is_loaded() -> None:
    code = (
        "import sys, restream_async.worker.run, restream_async.cli.commands.worker;"
        "print({'prometheus_client', 'opentelemetry.sdk', 'aiohttp.web'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert ended.stdout == "set()\n"
