import signal
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, at_once, csv_of, interrupt_when, outcomes


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_in_flight(
    cli: Cli, slow_sandbox: Sandbox, file: Path, number: int, code: int
) -> None:
    file.write_text(csv_of(500))

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 8, number=number):
        end = cli("bulk", file, "--max-in-flight", "8")
    assert end.code == code
    assert "Stopping: requests in flight are finished first" in end.err
    created = len(slow_sandbox.stored)
    assert 8 <= created < 500
    assert f"✗ {created} restreams created, {500 - created} not sent" in end.err
    rest = f"{500 - created} restreams were not sent: lines {created + 2} to 501 of {file}"
    assert f"Error: {rest}\n" in end.err
    told = [line["outcome"] for line in outcomes(end.out)]
    assert told.count("created") == created
    assert set(told) <= {"created", "not_sent"}


def test_a_second_signal_stops_at_once(cli: Cli, slow_sandbox: Sandbox, file: Path) -> None:
    slow_sandbox.latency = 60
    file.write_text(csv_of(500))

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 8, cli.says_stopping):
        end = cli("bulk", file, "--max-in-flight", "8")
    assert end.code == 130
    assert (
        "8 restreams in flight may or may not have been created, and 492 more were not sent: see "
        f"lines 2 to 501 of {file}"
    ) in end.err


def test_when_the_service_is_gone_it_says_so_and_gives_up_when_patience_ends(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.05)
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    # Far more than can be sent before the circuit breaker opens.
    file.write_text(csv_of(2000))
    sandbox.outage = True
    end = cli("bulk", file, "--patience", "0.5")
    assert end.code == 1
    assert "no request to the service succeeds" in end.err
    kinds = {each["errorType"] for each in outcomes(end.out)}
    # Requests that were sent are in doubt; the others were not sent.
    assert kinds == {"OutcomeUnknownError", "OutageError"}
    assert len(outcomes(end.out)) == 2000
    assert not sandbox.stored
