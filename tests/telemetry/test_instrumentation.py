"""A client under OpenTelemetry's own instrumentation of aiohttp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
from opentelemetry.instrumentation.aiohttp_client import (
    AioHttpClientInstrumentor,
    create_trace_config,
)

from restream_async.sandbox import Fault, Faults
from tests.helpers.clients import client_of
from tests.helpers.recorded_telemetry import tree
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from restream_async.sandbox import Sandbox
    from tests.helpers.recorded_telemetry import RecordedTelemetry


@pytest.fixture
def _instrumented(recorded: RecordedTelemetry) -> Iterator[None]:
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=recorded.tracer_provider)
    yield
    instrumentor.uninstrument()


@pytest.mark.usefixtures("_instrumented")
async def test_its_spans_are_children_of_the_attempts(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.faults = Faults(after={Fault.RESET: 1.0}, retry_after=None)
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())

    assert tree(recorded.spans) == [
        "restream.create",
        "restream.create > POST",
        "restream.create > POST > POST",
        "restream.create > restream.check",
        "restream.create > restream.check > GET",
        "restream.create > restream.check > GET > GET",
    ]


async def test_an_instrumented_session_of_the_application(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    trace_config = create_trace_config(tracer_provider=recorded.tracer_provider)
    async with (
        aiohttp.ClientSession(trace_configs=[trace_config]) as session,
        client_of(sandbox, telemetry=recorded.telemetry, session=session) as client,
    ):
        await client.create(new_restream())

    assert tree(recorded.spans) == [
        "restream.create",
        "restream.create > POST",
        "restream.create > POST > POST",
    ]
