"""Why a request was not sent: the call was stopped, an outage, or the deadline."""

import pytest

from restream_async import AttemptTimeoutError, OutageError, TransportError
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.deadline import Deadline, Stop
from restream_async._retry.unsent_requests import not_sent, service_is_out, too_late
from restream_async.errors import CallError, NotSentError
from tests.helpers.examples import API
from tests.helpers.fast_clock import FastClock

CALL = API.toggle(7).call


def limiter_of(clock: FastClock) -> ConcurrencyLimiter:
    return ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock())


def begin_outage(limiter: ConcurrencyLimiter, clock: FastClock, error: CallError) -> None:
    for _ in range(3):
        limiter.failed(error, connected=False)
        clock.time += 1.0
    assert limiter.state == "open"


@pytest.mark.parametrize(
    ("attempts", "text"),
    [(0, "stopped before it was sent"), (2, "stopped before it was sent again")],
)
def test_a_stopped_call_says_whether_it_was_sent_before(attempts: int, text: str) -> None:
    error = not_sent(CALL, attempts).error
    assert isinstance(error, NotSentError)
    assert (error.sent, error.attempts) == (False, attempts)
    assert text in str(error)
    assert ("again" in str(error)) is (attempts > 0)


def test_a_request_is_too_late_after_the_deadline() -> None:
    clock = FastClock()
    deadline = Deadline(clock.as_clock().now, 1.0)
    error = too_late(limiter_of(clock), CALL, deadline, "no turn came").error
    assert isinstance(error, AttemptTimeoutError)
    assert "no turn came" in str(error)
    assert error.sent is False


def test_a_stop_matters_more_than_an_outage_and_an_outage_more_than_the_deadline() -> None:
    clock, stop = FastClock(), Stop()
    limiter = limiter_of(clock)
    begin_outage(limiter, clock, TransportError(CALL, detail="refused", sent=False))
    deadline = Deadline(clock.as_clock().now, 1.0, stop=stop)
    assert isinstance(too_late(limiter, CALL, deadline, "no turn came").error, OutageError)
    stop.request()
    assert isinstance(too_late(limiter, CALL, deadline, "no turn came").error, NotSentError)


def test_an_outage_is_told_with_the_advice_of_its_latest_failure() -> None:
    clock = FastClock()
    limiter = limiter_of(clock)
    assert "check base_url and the network" in str(service_is_out(limiter, CALL).error)
    error = TransportError(CALL, detail="refused", sent=False, note="start the service")
    begin_outage(limiter, clock, error)
    text = str(service_is_out(limiter, CALL).error)
    assert "start the service" in text
    assert "check base_url" not in text
    limiter.succeeded()
    assert "try again when the service is back" in str(service_is_out(limiter, CALL).error)
