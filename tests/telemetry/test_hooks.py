"""The hooks of clients, with OpenTelemetry and without it."""

from contextvars import ContextVar

import pytest

from restream_async._telemetry import ClientTelemetry
from tests.helpers.recorded_telemetry import RecordedTelemetry

HERE: ContextVar[str] = ContextVar("HERE", default="")


@pytest.mark.parametrize("name", ["none", "recorded"])
def test_the_tasks_of_a_run_get_copies_of_the_context_in_which_it_began(name: str) -> None:
    recorded = RecordedTelemetry().telemetry.for_client("localhost", 80)
    hooks = {"none": ClientTelemetry(), "recorded": recorded}[name]
    token = HERE.set("the run")
    with hooks.run("create_many") as run:
        HERE.set("another call")
        task = run.new_context()
        assert task.run(HERE.get) == "the run"
        task.run(HERE.set, "a task")
        assert run.new_context().run(HERE.get) == "the run"
    HERE.reset(token)
