import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import ConfigurationError, RetryPolicy
from restream_async._http.messages import NoResponse, Response
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.policy import RETRY_AFTER_CAP
from restream_async._retry.retries import Retries
from restream_async._util.clock import Clock
from tests.helpers.examples import API, STREAM_KEY, failure, new
from tests.helpers.scripted_clock import ScriptedClock
from tests.helpers.strategies import quick

NEVER: Final = float("inf")
ENDLESS: Final = Deadline(lambda: 0.0, NEVER)
seconds = st.floats(0.001, 1e6)


def doubtful() -> Failure:
    return failure(Response(status=503))


def refused() -> Failure:
    return failure(Response(status=400))


def asking_for(retry_after: str) -> Failure:
    return failure(Response(status=429, headers={"Retry-After": retry_after}))


class Attempts:
    """What further attempts bring: results in turn, the last one for ever."""

    def __init__(self, *results: object) -> None:
        """Bring these."""
        self.results = list(results)
        self.made = 0

    async def __call__(self) -> Any:  # noqa: ANN401 - whatever was put in
        result = self.results[min(self.made, len(self.results) - 1)]
        self.made += 1
        await asyncio.sleep(0)
        if isinstance(result, BaseException):
            raise result
        return result


async def pursue(
    first: Failure,
    again: Callable[[], Awaitable[object]],
    *,
    policy: RetryPolicy,
    clock: Clock,
    deadline: Deadline,
    excused: Callable[[Failure], bool] = lambda _: False,
) -> object:
    limiter = ConcurrencyLimiter.adaptive(64, 300.0, clock)
    budget = RetryBudget(clock.now)
    for _ in range(400):
        budget.record_call()
    retries = Retries(policy, clock, deadline, limiter, budget, is_uncounted=excused)
    result: object = first
    while isinstance(result, Failure):
        if (end := await retries.wait_after(result)) is not None:
            return end
        result = await again()
    retries.succeeded()
    return result


async def pursued(
    first: Failure,
    again: Callable[[], Awaitable[object]],
    clock: ScriptedClock,
    policy: RetryPolicy | None = None,
    until: float = NEVER,
) -> object:
    return await pursue(
        first,
        again,
        policy=policy if policy is not None else RetryPolicy(),
        clock=clock.as_clock(),
        deadline=Deadline(clock.as_clock().now, until - clock.now),
    )


def test_a_policy_has_the_documented_defaults() -> None:
    policy = RetryPolicy()
    assert (policy.attempts, policy.base, policy.cap, policy.deadline) == (5, 0.5, 20.0, 120.0)


@pytest.mark.parametrize("name", ["base", "cap", "deadline"])
@pytest.mark.parametrize(
    "value",
    [0, -1, 0.0, -0.5, float("nan"), NEVER, -NEVER, 10**400, True, None, "1", [1]],
    ids=repr,
)
def test_a_time_is_a_number_of_seconds_above_0(name: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**{name: value})
    assert str(caught.value) == f"RetryPolicy: {name} must be a number of seconds above 0"


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, float("nan"), True, None, "5"], ids=repr)
def test_attempts_are_a_whole_number_from_1(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(attempts=value)
    assert str(caught.value) == "RetryPolicy: attempts must be a whole number from 1"


def test_the_smallest_policy_is_one() -> None:
    policy = RetryPolicy(attempts=1, base=5e-324, cap=1, deadline=0.001)
    assert policy.wait(1, None, 1.0) == 5e-324


@pytest.mark.parametrize(
    ("failures", "retry_after", "jitter", "wait"),
    [
        # The longest wait doubles, up to the cap.
        (1, None, 1.0, 0.5),
        (2, None, 1.0, 1.0),
        (3, None, 1.0, 2.0),
        (4, None, 1.0, 4.0),
        (6, None, 1.0, 16.0),
        (7, None, 1.0, 20.0),
        (8, None, 1.0, 20.0),
        (5000, None, 1.0, 20.0),
        # Full jitter: anything down to nothing.
        (1, None, 0.0, 0.0),
        (3, None, 0.25, 0.5),
        (7, None, 0.5, 10.0),
        # A floor, to which the jitter is added: all its clients were told the same second.
        (1, 5.0, 0.0, 5.0),
        (1, 5.0, 1.0, 5.5),
        (3, 1.5, 0.5, 2.5),
        (1, 0.0, 1.0, 0.5),
        # And the floor has a cap.
        (1, 60.0, 0.0, 60.0),
        (1, 60.5, 0.0, 60.0),
        (1, 1e12, 1.0, 60.5),
    ],
)
def test_the_wait(failures: int, retry_after: float | None, jitter: float, wait: float) -> None:
    assert RetryPolicy().wait(failures, retry_after, jitter) == wait


@given(
    failures=st.integers(1, 10**6),
    retry_after=st.none() | st.floats(0, 1e12),
    jitter=st.floats(0, 1, exclude_max=True),
    base=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    cap=seconds,
)
@quick
def test_any_wait_lies_between_the_floor_and_the_floor_and_the_cap(
    failures: int, retry_after: float | None, jitter: float, base: float, cap: float
) -> None:
    wait = RetryPolicy(base=base, cap=cap).wait(failures, retry_after, jitter)
    floor = min(retry_after or 0.0, RETRY_AFTER_CAP)
    assert floor <= wait <= floor + cap


@pytest.mark.parametrize("attempts", [1, 2, 3, 5, 20])
async def test_it_is_tried_as_often_as_the_policy_says(attempts: int) -> None:
    first, clock, again = doubtful(), ScriptedClock(), Attempts(doubtful())
    result = await pursued(first, again, clock, RetryPolicy(attempts=attempts))
    assert result is (again.results[0] if attempts > 1 else first)
    assert again.made == attempts - 1
    assert len(clock.slept) == attempts - 1


async def test_the_last_failure_is_the_one_that_is_told() -> None:
    failures = [doubtful() for _ in range(4)]
    first = doubtful()
    assert await pursued(first, Attempts(*failures), ScriptedClock()) is failures[-1]
    assert await pursued(first, Attempts(), ScriptedClock(), RetryPolicy(attempts=1)) is first


@pytest.mark.parametrize("value", ["a restream", None, False, 0, [], ()], ids=repr)
async def test_a_value_ends_the_pursuit(value: object) -> None:
    again = Attempts(doubtful(), value)
    assert await pursued(doubtful(), again, ScriptedClock()) == value
    assert again.made == 2


async def test_a_refusal_ends_the_pursuit() -> None:
    last = refused()
    again = Attempts(doubtful(), last)
    assert await pursued(doubtful(), again, ScriptedClock()) is last
    assert again.made == 2


async def test_a_refusal_is_not_pursued_at_all() -> None:
    first, clock, again = refused(), ScriptedClock(), Attempts("a restream")
    assert await pursued(first, again, clock) is first
    assert (again.made, clock.slept) == (0, [])


@pytest.mark.parametrize(
    "first",
    [
        doubtful(),
        failure(Response(status=429)),
        failure(Response(status=200)),
        failure(NoResponse(detail="refused", sent=False)),
        failure(NoResponse(detail="reset", sent=True)),
    ],
)
async def test_what_was_not_done_or_is_in_doubt_is_tried_again(first: Failure) -> None:
    assert await pursued(first, Attempts("a restream"), ScriptedClock()) == "a restream"


async def test_the_waits_are_those_of_the_policy() -> None:
    clock = ScriptedClock(1.0, 0.5, 0.25, 0.0)
    await pursued(doubtful(), Attempts(doubtful()), clock, RetryPolicy(base=1, cap=3))
    assert clock.slept == [1.0, 1.0, 0.75, 0.0]


async def test_every_failure_may_ask_for_a_wait_of_its_own() -> None:
    clock = ScriptedClock(0.0, 0.0, 0.5, 1.0)
    again = Attempts(doubtful(), asking_for("7"), asking_for("3600"), doubtful())
    await pursued(asking_for("5"), again, clock)
    assert clock.slept == [5.0, 0.0, 8.0, 64.0]


async def test_what_cannot_connect_waits_half_of_it_at_least() -> None:
    """A second without the service must not use up all attempts, whatever the chances."""
    clock = ScriptedClock(0.0, 0.5, 0.0, 1.0)
    away = failure(NoResponse(detail="refused", sent=False))
    await pursued(away, Attempts(away), clock)
    assert clock.slept == [0.25, 0.75, 1.0, 4.0]


async def test_what_does_not_count_is_tried_again_without_end_and_soon() -> None:
    clock, again = ScriptedClock(), Attempts(*[doubtful()] * 50, "a restream")
    end = await pursue(
        doubtful(),
        again,
        policy=RetryPolicy(attempts=1),
        clock=clock.as_clock(),
        deadline=Deadline(lambda: 0.0, 0.1),
        excused=lambda _: True,
    )
    assert end == "a restream"
    assert clock.slept == [0.5, 1.0] + [2.0] * 49


async def test_what_does_not_count_is_not_tried_all_the_time() -> None:
    clock, again = ScriptedClock(0.0), Attempts(*[doubtful()] * 9, "a restream")
    await pursue(
        doubtful(),
        again,
        policy=RetryPolicy(base=0.001),
        clock=clock.as_clock(),
        deadline=ENDLESS,
        excused=lambda _: True,
    )
    assert clock.slept == [0.1] * 10


async def test_what_counts_again_uses_the_attempts_that_are_left() -> None:
    clock, again = ScriptedClock(), Attempts(*[doubtful()] * 50)
    answers = iter([True, True, False])
    await pursue(
        doubtful(),
        again,
        policy=RetryPolicy(attempts=3),
        clock=clock.as_clock(),
        deadline=ENDLESS,
        excused=lambda _: next(answers, False),
    )
    assert again.made == 2 + 2
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("room", "slept"),
    [
        # Waits of 0.5, 1, 2 and 4 seconds.
        (0.0, []),
        (0.5, []),
        (0.51, [0.5]),
        (1.5, [0.5]),
        (1.51, [0.5, 1.0]),
        (3.5, [0.5, 1.0]),
        (7.5, [0.5, 1.0, 2.0]),
        (7.51, [0.5, 1.0, 2.0, 4.0]),
        (-1.0, []),
    ],
)
async def test_no_wait_begins_that_would_pass_the_deadline(room: float, slept: list[float]) -> None:
    clock, again = ScriptedClock(), Attempts(doubtful())
    result = await pursued(doubtful(), again, clock, until=clock.now + room)
    assert isinstance(result, Failure)
    assert clock.slept == slept
    assert again.made == len(slept)


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    first, clock, again = asking_for("30"), ScriptedClock(), Attempts("a restream")
    assert await pursued(first, again, clock, until=clock.now + 30) is first
    assert (again.made, clock.slept) == (0, [])


async def test_the_time_that_attempts_take_counts_as_well() -> None:
    clock, made = ScriptedClock(), 0

    async def slow() -> Failure:
        nonlocal made
        made += 1
        clock.now += 10
        return doubtful()

    await pursued(doubtful(), slow, clock, RetryPolicy(attempts=100), until=clock.now + 23)
    assert made == 2


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt(), ValueError()])
async def test_an_exception_passes_straight_through(error: BaseException) -> None:
    again = Attempts(doubtful(), error)
    with pytest.raises(type(error)) as caught:
        await pursued(doubtful(), again, ScriptedClock())
    assert caught.value is error
    assert error.__cause__ is None
    assert again.made == 2


async def test_a_cancelled_attempt_is_not_tried_again() -> None:
    again, begun = Attempts("a restream"), asyncio.Event()

    async def hangs() -> object:
        begun.set()
        await asyncio.Event().wait()
        return await again()

    task = asyncio.create_task(pursued(doubtful(), hangs, ScriptedClock()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert again.made == 0


async def test_a_cancelled_wait_ends_the_pursuit_at_once() -> None:
    again, asleep = Attempts("a restream"), asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    clock = Clock(sleep=sleep)
    task = asyncio.create_task(
        pursue(doubtful(), again, policy=RetryPolicy(), clock=clock, deadline=ENDLESS)
    )
    await asleep.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert again.made == 0


async def test_an_exception_of_the_sleep_passes_straight_through() -> None:
    async def sleep(_: float) -> None:
        raise OSError("no clock")

    again = Attempts("a restream")
    with pytest.raises(OSError, match="no clock"):
        await pursue(
            doubtful(), again, policy=RetryPolicy(), clock=Clock(sleep=sleep), deadline=ENDLESS
        )
    assert again.made == 0


async def test_pursuits_at_the_same_time_do_not_mix() -> None:
    async def one(number: int) -> None:
        clock = ScriptedClock()
        again = Attempts(*(doubtful() for _ in range(number % 4)), f"restream {number}")
        assert await pursued(doubtful(), again, clock) == f"restream {number}"
        assert again.made == number % 4 + 1
        assert clock.slept == [0.5, 1.0, 2.0, 4.0][: again.made]

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(one(number))


async def test_every_repetition_is_told_to_the_log_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = failure(
        Response(status=503, body=f"no {STREAM_KEY}".encode()), request=API.create(new())
    )
    with caplog.at_level(logging.DEBUG, logger="restream_async"):
        await pursued(told, Attempts(told), ScriptedClock(), RetryPolicy(attempts=3))
    assert [record.getMessage() for record in caplog.records] == [
        f"attempt 1 failed, again in 0.5 s: {told.error}",
        f"attempt 2 failed, again in 1 s: {told.error}",
    ]
    assert STREAM_KEY not in caplog.text
    assert "(no ***)" in caplog.text
