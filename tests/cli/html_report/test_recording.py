import asyncio

import pytest

from restream_async import BadRequestError
from restream_async.cli.html_report.recording import Recording, RecordingTelemetry
from restream_async.errors import Call
from restream_async.sandbox import Fault, Sandbox
from tests.helpers.clients import client_of
from tests.helpers.samples import new_restream


async def test_every_request_that_ended_is_recorded_and_none_that_was_cancelled() -> None:
    telemetry = RecordingTelemetry()
    async with Sandbox() as sandbox, client_of(sandbox, telemetry=telemetry) as client:
        await client.ensure(new_restream())
        sandbox.latency = 60.0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.create(new_restream("v2")), 0.1)
    assert telemetry.recording.latencies.count == 2
    assert not telemetry.recording.retries.counts


async def test_a_failed_request_whose_restream_exists_is_no_retry() -> None:
    telemetry = RecordingTelemetry()
    async with Sandbox() as sandbox, client_of(sandbox, telemetry=telemetry) as client:
        sandbox.fail_next(500, after_effect=True)
        await client.create(new_restream())
        sandbox.fail_next(Fault.BACKEND_FETCH_FAILED, call="create")
        await client.create(new_restream("v2"))
        assert client.stats().retries == 1
    recording = telemetry.recording
    assert [*recording.failures.counts.values()] == [1, 1]
    assert {each.error: count for each, count in recording.retries.counts.items()} == {
        "BackendFetchFailedError": 1
    }


def test_what_happened_before_belongs_to_another_recording() -> None:
    telemetry = RecordingTelemetry()
    error = BadRequestError(Call("POST", "/"), status=400)
    telemetry.retried(error)
    first, telemetry.recording = telemetry.recording, Recording()
    telemetry.retried(error)
    telemetry.retried(error)
    assert first.retries.counts.total() == 1
    assert telemetry.recording.retries.counts.total() == 2
