"""Which telemetry a client has by default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from restream_async import ConfigurationError, RestreamClient
from restream_async._telemetry import ClientTelemetry, Telemetry, default_telemetry
from restream_async.telemetry import OpenTelemetry
from tests.helpers.clients import client_of
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from restream_async.sandbox import Sandbox
    from tests.helpers.recorded_telemetry import RecordedTelemetry


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, recorded: RecordedTelemetry) -> RecordedTelemetry:
    """Set the providers, as an application does. The API would take them only once."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.tracer_provider)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: recorded.meter_provider)
    return recorded


async def test_a_client_uses_the_sdk_that_the_application_has_set_up(
    sandbox: Sandbox, application: RecordedTelemetry
) -> None:
    async with client_of(sandbox) as client:
        await client.create(new_restream())

    assert [span.name for span in application.spans] == [
        "restream.create",
        "POST /api/v1/{projectId}/restreams",
    ]
    assert application.points("restream.attempts")


async def test_a_client_that_is_told_to_report_nothing_reports_nothing(
    sandbox: Sandbox, application: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=Telemetry()) as client:
        await client.create(new_restream())

    assert not application.texts()


def test_one_provider_is_enough(
    monkeypatch: pytest.MonkeyPatch, application: RecordedTelemetry
) -> None:
    assert isinstance(default_telemetry(), OpenTelemetry)
    monkeypatch.setattr(trace, "get_tracer_provider", NoOpTracerProvider)
    assert isinstance(default_telemetry(), OpenTelemetry)
    assert application.metrics == {}


def test_without_an_sdk_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(default_telemetry()) is Telemetry
    monkeypatch.setattr(trace, "get_tracer_provider", NoOpTracerProvider)
    monkeypatch.setattr(metrics, "get_meter_provider", NoOpMeterProvider)
    assert type(default_telemetry()) is Telemetry


def test_an_application_without_opentelemetry_does_not_import_it(
    monkeypatch: pytest.MonkeyPatch, application: RecordedTelemetry
) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert isinstance(default_telemetry(), OpenTelemetry), "the metrics are there"
    monkeypatch.delitem(sys.modules, "opentelemetry.metrics")
    # Python raises ImportError for it.
    monkeypatch.setitem(sys.modules, "restream_async.telemetry", None)
    assert type(default_telemetry()) is Telemetry
    assert not application.spans


async def test_metrics_alone(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    telemetry = OpenTelemetry(NoOpTracerProvider(), recorded.meter_provider)
    async with client_of(sandbox, telemetry=telemetry) as client:
        await client.create_all([new_restream("v1"), new_restream("v2")])

    assert not recorded.spans
    [(_, created)] = recorded.points("restream.creations")
    assert created == 2


async def test_traces_alone(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    telemetry = OpenTelemetry(recorded.tracer_provider, NoOpMeterProvider())
    async with client_of(sandbox, telemetry=telemetry) as client:
        await client.create(new_restream())

    assert len(recorded.spans) == 2


def test_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="telemetry must be a Telemetry or None, not str"):
        RestreamClient(
            base_url="https://api.example.com",
            project_id="p1",
            api_key="key",
            telemetry="otel",  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )


def test_the_null_objects_take_everything() -> None:
    nothing = Telemetry()
    headers: dict[str, str] = {}
    with nothing.sending("subject"), nothing.received({}):
        nothing.inject(headers)
    assert headers == {}
    assert isinstance(nothing.for_client("localhost", 80), ClientTelemetry)
