"""Metrics of clients of the real sandbox, read back through the SDK."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics.export import Histogram

from restream_async import UnauthorizedError
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.telemetry import OpenTelemetry
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.recorded_telemetry import RecordedTelemetry

CREATED = {"restream.outcome": "created", "restream.origin": "posted"}


async def test_creations_and_attempts_are_counted(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create_all([new_restream(f"v{number}") for number in range(50)])
        await client.ensure(new_restream("v1"))

    existing = {"restream.outcome": "created", "restream.origin": "existing"}
    post = {"http.request.method": "POST", "http.response.status_code": 201}
    get = {"http.request.method": "GET", "http.response.status_code": 200}
    assert recorded.points("restream.creations") == [(CREATED, 50), (existing, 1)]
    assert recorded.points("restream.creation.duration") == [({"restream.outcome": "created"}, 51)]
    assert recorded.points("restream.attempts") == [(post, 50), (get, 1)]
    assert recorded.points("http.client.request.duration") == [(post, 50), (get, 1)]
    assert recorded.points("restream.checks") == [({"restream.check.result": "found"}, 1)]
    assert recorded.points("restream.retries") == []


async def test_retries_and_checks_are_counted_by_cause_and_result(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    fetch_failed = {Fault.BACKEND_FETCH_FAILED: 1.0}
    sandbox.faults = Faults(before=fetch_failed, max_faults=2, retry_after=None)
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())

    assert recorded.points("restream.retries") == [({"error.type": "BackendFetchFailedError"}, 2)]
    assert recorded.points("restream.checks") == [({"restream.check.result": "absent"}, 2)]
    post = {"http.request.method": "POST"}
    failed = {**post, "http.response.status_code": 503, "error.type": "503"}
    assert (failed, 2) in recorded.points("restream.attempts")
    assert recorded.points("restream.creations") == [(CREATED, 1)]


async def test_a_restream_that_a_check_has_found_is_no_retry(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    stored = {Fault.BACKEND_FETCH_FAILED: 1.0}
    sandbox.faults = Faults(after=stored, max_faults=1, retry_after=None)
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())
        assert client.stats().retries == 0

    assert recorded.points("restream.checks") == [({"restream.check.result": "found"}, 1)]
    assert recorded.points("restream.retries") == []


async def test_a_list_that_is_sent_again_is_a_retry(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.fail_next(500, call="list")
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.list("v1")

    assert recorded.points("restream.retries") == [({"error.type": "InternalServerError"}, 1)]


async def test_a_toggle_that_is_sent_again_is_a_retry(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        restream = await client.create(new_restream())
        sandbox.fail_next(503, call="toggle", times=2, retry_after=0)
        await client.set_status(restream, not restream.status)
        assert client.stats().retries == 2

    assert recorded.points("restream.retries") == [({"error.type": "BackendFetchFailedError"}, 2)]


async def test_failed_creations_are_counted_by_error(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.faults = Faults(after={Fault.HANG: 1.0})
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.create(new_restream())
    sandbox.faults = Faults()
    async with client_of(sandbox, telemetry=recorded.telemetry, api_key="wrong") as client:
        with pytest.raises(UnauthorizedError):
            await client.create(new_restream())

    failed = {"restream.outcome": "failed"}
    assert recorded.points("restream.creations") == [
        ({**failed, "error.type": "CancelledError"}, 1),
        ({**failed, "error.type": "UnauthorizedError"}, 1),
    ]
    assert recorded.points("restream.creation.duration") == [(failed, 2)]


async def test_durations_are_in_seconds(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.latency = 0.03
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())

    for name in ("http.client.request.duration", "restream.creation.duration"):
        metric = recorded.metrics[name]
        assert metric.unit == "s"
        assert isinstance(metric.data, Histogram)
        [point] = metric.data.data_points
        assert 0.03 <= point.sum < 1
        assert len(point.explicit_bounds) == 14


async def test_the_state_of_a_client_is_read_when_it_is_collected(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.faults = Faults(before={Fault.HANG: 1.0})
    async with client_of(sandbox, telemetry=recorded.telemetry, max_in_flight=2) as client:
        tasks = [asyncio.create_task(client.create(new_restream(f"v{n}"))) for n in range(5)]
        while sandbox.counts.in_flight < 2:  # noqa: ASYNC110 - of the sandbox
            await asyncio.sleep(0)
        state = {
            name: recorded.points(f"restream.{name}")
            for name in (
                "requests.in_flight",
                "requests.waiting",
                "requests.limit",
                "circuit_breaker.open",
                "retry_budget",
            )
        }
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert state == {
        "requests.in_flight": [({}, 2)],
        "requests.waiting": [({}, 3)],
        "requests.limit": [({}, 2)],
        "circuit_breaker.open": [({}, 0)],
        "retry_budget": [({}, 22)],
    }


async def test_an_outage_is_seen(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.outage = True
    seen: list[float] = []
    clock = FastClock()

    async def meanwhile() -> None:
        seen.extend(value for _, value in recorded.points("restream.circuit_breaker.open"))
        if seen and seen[-1]:
            sandbox.outage = False

    clock.meanwhile = meanwhile
    async with client_of(sandbox, telemetry=recorded.telemetry, clock=clock.as_clock()) as client:
        await client.create_all([new_restream(f"v{number}") for number in range(20)])
        assert recorded.points("restream.circuit_breaker.open") == [({}, 0)]

    assert 1 in seen


async def test_clients_of_one_service_add_up_until_they_are_closed_or_gone(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry, max_in_flight=2):
        # Another object for the same provider: the instruments are the same.
        again = OpenTelemetry(recorded.tracer_provider, recorded.meter_provider)
        gone = client_of(sandbox, max_in_flight=40, telemetry=again)
        assert recorded.points("restream.requests.limit") == [({}, 42)]
        await gone.create(new_restream("v1"))
        await gone.close()
        assert recorded.points("restream.requests.limit") == [({}, 2)]
    assert recorded.points("restream.requests.limit") == []
    assert recorded.points("restream.creations") == [(CREATED, 1)]

    client = client_of(sandbox, telemetry=recorded.telemetry)
    assert recorded.points("restream.requests.limit") == [({}, 64)]
    del client
    gc.collect()
    assert recorded.points("restream.requests.limit") == []


async def test_a_client_that_is_gone_in_the_middle_of_a_collection(
    sandbox: Sandbox, recorded: RecordedTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(sandbox, telemetry=recorded.telemetry)

    def gone(*_: object) -> Callable[[], None]:
        return lambda: None

    monkeypatch.setattr("restream_async.telemetry._metrics.WeakMethod", gone)
    other = client_of(sandbox, telemetry=recorded.telemetry)

    assert recorded.points("restream.requests.limit") == [({}, 64)]
    await client.close()
    await other.close()


async def test_services_are_told_apart(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    async with (
        Sandbox() as other,
        client_of(sandbox, telemetry=recorded.telemetry) as client,
        client_of(other, telemetry=recorded.telemetry) as second,
    ):
        await client.create(new_restream())
        await second.create(new_restream())

    ports = {
        str((point.attributes or {})["server.port"])
        for point in recorded.metrics["restream.creations"].data.data_points
    }
    assert ports == {each.base_url.rpartition(":")[2] for each in (sandbox, other)}


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://api.example.com", ("api.example.com", 443)),
        ("https://api.example.com:8443/prefix", ("api.example.com", 8443)),
        ("http://[::1]", ("::1", 80)),
    ],
)
async def test_the_address_is_that_of_the_service(
    base_url: str, address: tuple[str, int], recorded: RecordedTelemetry
) -> None:
    client = client_of(base_url, telemetry=recorded.telemetry)

    [point] = recorded.metrics["restream.requests.limit"].data.data_points
    assert (point.attributes or {}) == {"server.address": address[0], "server.port": address[1]}
    await client.close()
