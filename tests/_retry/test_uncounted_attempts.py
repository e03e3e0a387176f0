"""Failed attempts that do not count as attempts."""

import pytest

from restream_async import RetryPolicy
from restream_async._http.messages import NoResponse, Response
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.uncounted_attempts import is_singled_out, is_uncounted
from tests.helpers.examples import failure
from tests.helpers.fast_clock import FastClock

LIMITED = failure(Response(status=429))
UNREACHABLE = failure(NoResponse(detail="refused", sent=False))
OVERTAKEN = Failure(UNREACHABLE.classification, UNREACHABLE.error, overtaken=True)
DOUBTFUL = failure(Response(status=503))


def deadline_of(clock: FastClock, *, patient: bool, limited: int = 0) -> Deadline:
    deadline = Deadline(clock.as_clock().now, 10.0, (lambda: 0.0) if patient else None)
    deadline.limited = limited
    return deadline


@pytest.mark.parametrize(
    ("failed", "limited", "uncounted"),
    [
        (UNREACHABLE, 0, True),
        (OVERTAKEN, 0, False),
        (LIMITED, 0, True),
        (LIMITED, 5, True),
        (LIMITED, 6, False),
        (DOUBTFUL, 0, False),
    ],
)
@pytest.mark.parametrize("patient", [True, False])
def test_only_a_patient_call_has_attempts_that_do_not_count(
    failed: Failure,
    limited: int,
    uncounted: bool,  # noqa: FBT001 - a parameter
    patient: bool,  # noqa: FBT001 - a parameter
) -> None:
    clock = FastClock()
    limiter = ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock())
    deadline = deadline_of(clock, patient=patient, limited=limited)
    found = is_uncounted(failed, deadline, limiter, RetryPolicy(attempts=3))
    assert found is (uncounted and patient)


def test_during_an_outage_no_attempt_of_a_patient_call_counts() -> None:
    clock = FastClock()
    limiter = ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock())
    deadline = deadline_of(clock, patient=True)
    for _ in range(10):
        limiter.failed(DOUBTFUL.error)
        clock.time += 1.0
    assert is_uncounted(DOUBTFUL, deadline, limiter, RetryPolicy())


@pytest.mark.parametrize(
    ("attempts", "limited", "singled_out"),
    [(3, 5, False), (3, 6, True), (8, 8, False), (8, 9, True)],
)
def test_a_call_is_singled_out_after_more_429s_than_attempts(
    attempts: int,
    limited: int,
    singled_out: bool,  # noqa: FBT001 - a parameter
) -> None:
    deadline = deadline_of(FastClock(), patient=True, limited=limited)
    assert is_singled_out(deadline, RetryPolicy(attempts=attempts)) is singled_out
