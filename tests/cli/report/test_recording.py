import asyncio

import pytest

from restream_async import BadRequestError, RestreamClient
from restream_async.cli.report.recording import Recording, RecordingTelemetry
from restream_async.errors import Call
from restream_async.sandbox import Sandbox
from tests.helpers.samples import new_restream


async def test_every_request_that_ended_is_recorded_and_none_that_was_cancelled() -> None:
    telemetry = RecordingTelemetry()
    async with (
        Sandbox() as sandbox,
        RestreamClient(
            base_url=sandbox.base_url,
            project_id=sandbox.project_id,
            api_key=sandbox.api_key,
            auth_scheme="Bearer",
            telemetry=telemetry,
        ) as client,
    ):
        await client.ensure(new_restream())
        sandbox.latency = 60.0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.create(new_restream("v2")), 0.1)
    assert telemetry.recording.latencies.count == 2
    assert not telemetry.recording.retries.counts


def test_what_happened_before_belongs_to_another_recording() -> None:
    telemetry = RecordingTelemetry()
    error = BadRequestError(Call("POST", "/"), status=400)
    telemetry.retried(error)
    first, telemetry.recording = telemetry.recording, Recording()
    telemetry.retried(error)
    telemetry.retried(error)
    assert first.retries.counts.total() == 1
    assert telemetry.recording.retries.counts.total() == 2
