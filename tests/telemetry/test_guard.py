"""Faults in what the application has added to the SDK: they harm no creation."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import propagate
from opentelemetry.metrics import Histogram, Meter, NoOpHistogram, NoOpMeter, NoOpMeterProvider
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from restream_async.telemetry import OpenTelemetry
from restream_async.testing import assert_stored
from tests.helpers.clients import client_of
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from restream_async.sandbox import Sandbox
    from tests.helpers.recorded_telemetry import RecordedTelemetry

SECRET: Final = "text-of-the-exception"
SPANS: Final = [
    "POST",
    "GET",
    "restream.create",
    "restream.check",
    "restream.create_many",
    "restream.apply",
    "restream.video",
]


class FaultError(Exception):
    """What an application's code may raise."""


class FaultyProcessor(SpanProcessor):
    def __init__(self, method: str, name: str) -> None:
        self._method = method
        self._name = name

    def on_start(self, span: Any, parent_context: object = None) -> None:  # noqa: ANN401 - of the SDK
        del parent_context
        self._fail("on_start", span)

    def on_end(self, span: Any) -> None:  # noqa: ANN401 - of the SDK
        self._fail("on_end", span)

    def _fail(self, method: str, span: Any) -> None:  # noqa: ANN401 - of the SDK
        if method == self._method and span.name.split(" ")[0] == self._name:
            raise FaultError(SECRET)


class FaultySampler(Sampler):
    def should_sample(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - of the SDK
        raise FaultError(SECRET)

    def get_description(self) -> str:
        return ALWAYS_ON.get_description()


class FaultyHistogram(NoOpHistogram):
    def record(self, *_: object, **__: object) -> None:
        raise FaultError(SECRET)


class MeterWithFaultyHistograms(NoOpMeter):
    def create_histogram(self, name: str, *_: object, **__: object) -> Histogram:
        return FaultyHistogram(name)


class MetersWithFaultyHistograms(NoOpMeterProvider):
    def get_meter(self, name: str, *_: object, **__: object) -> Meter:
        return MeterWithFaultyHistograms(name)


class FaultyPropagator(TextMapPropagator):
    def extract(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - of the SDK
        raise FaultError(SECRET)

    def inject(self, *_: object, **__: object) -> None:
        raise FaultError(SECRET)

    @property
    def fields(self) -> set[str]:
        return set()


async def use_everything(sandbox: Sandbox, telemetry: OpenTelemetry) -> None:
    """Make every kind of span, and check that all is created, and that no slot is left taken."""
    news = [new_restream(f"v{number}") for number in range(6)]
    async with (
        asyncio.timeout(10),
        client_of(sandbox, max_in_flight=2, telemetry=telemetry) as client,
    ):
        sandbox.fail_next(503, call="create", after_effect=True)
        await client.create(news[0])
        await client.ensure(news[1])
        await client.create_all(news[2:5])
        async with client.apply(news[5:]) as run:
            assert [change.error async for change in run] == [None]
        assert client.stats().in_flight == 0
    assert_stored(sandbox, news)


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("method", ["on_start", "on_end"])
async def test_a_faulty_span_processor(
    method: str, name: str, sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    recorded.tracer_provider.add_span_processor(FaultyProcessor(method, name))

    await use_everything(sandbox, recorded.telemetry)


async def test_a_faulty_sampler_is_logged_once_without_its_text(
    sandbox: Sandbox, recorded: RecordedTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    tracers = TracerProvider(sampler=FaultySampler())

    await use_everything(sandbox, OpenTelemetry(tracers, recorded.meter_provider))

    [line] = [each for each in caplog.records if each.name == "restream_async.telemetry"]
    assert line.levelno == logging.WARNING
    assert f"FaultError at {__file__}:" in line.getMessage()
    assert SECRET not in caplog.text


async def test_a_faulty_histogram(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    telemetry = OpenTelemetry(recorded.tracer_provider, MetersWithFaultyHistograms())

    await use_everything(sandbox, telemetry)


def test_a_faulty_propagator(recorded: RecordedTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagate, "get_global_textmap", FaultyPropagator)
    headers = {"Nats-Msg-Id": "1"}

    with recorded.telemetry.sending("restreams.commands"):
        recorded.telemetry.inject(headers)
    with recorded.telemetry.received(headers), recorded.tracer.start_as_current_span("handled"):
        """Nothing is raised."""

    assert headers == {"Nats-Msg-Id": "1"}
    assert [span.name for span in recorded.spans] == ["publish restreams.commands", "handled"]
