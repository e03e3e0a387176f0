import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final
from unittest.mock import Mock, call

import pytest

from restream_async import OutageError, RetryPolicy
from restream_async._http.messages import NoResponse, Response
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.retries import Retries
from restream_async._util.clock import Clock
from tests.helpers.examples import API, STREAM_KEY, failure, new
from tests.helpers.fast_clock import FastClock

NEVER: Final = float("inf")
ENDLESS: Final = Deadline(lambda: 0.0, NEVER)


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


async def run_retries(
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
    retries = Retries(
        policy,
        clock,
        deadline,
        limiter,
        budget,
        is_uncounted=excused,
    )
    result: object = first
    while isinstance(result, Failure):
        if (end := await retries.wait_after(result)) is not None:
            return end
        result = await again()
    retries.succeeded()
    return result


async def retried(
    first: Failure,
    again: Callable[[], Awaitable[object]],
    clock: FastClock,
    policy: RetryPolicy | None = None,
    until: float = NEVER,
) -> object:
    return await run_retries(
        first,
        again,
        policy=policy if policy is not None else RetryPolicy(),
        clock=clock.as_clock(),
        deadline=Deadline(clock.as_clock().now, until - clock.time),
    )


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
async def test_a_retry_that_waits_for_the_budget_sleeps_half_the_pause_to_all_of_it(
    chance: float, share: float
) -> None:
    clock = FastClock(1.0, chance)
    budget = RetryBudget(clock.as_clock().now)
    while budget.spend():
        """Until nothing is left."""
    pause = budget.pause
    limiter = ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock())
    retries = Retries(
        RetryPolicy(base=0.001),
        clock.as_clock(),
        ENDLESS,
        limiter,
        budget,
        is_uncounted=lambda _: False,
    )
    assert await retries.wait_after(doubtful()) is None
    assert clock.sleeps[1] == pytest.approx(share * pause)


@pytest.mark.parametrize(("remaining", "retried"), [(1.0, False), (1.1, True)])
async def test_a_call_does_not_wait_for_the_budget_beyond_its_deadline(
    remaining: float,
    retried: bool,  # noqa: FBT001 - a parameter
) -> None:
    clock, first = FastClock(), doubtful()
    budget = Mock(RetryBudget, pause=1.0, waiting=0)
    budget.spend.side_effect = [False, True]
    retries = Retries(
        RetryPolicy(base=0.001),
        clock.as_clock(),
        Deadline(lambda: 0.0, remaining),
        ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock()),
        budget,
        is_uncounted=lambda _: False,
    )
    end = await retries.wait_after(first)
    assert (end is None) is retried
    assert end is None or end.error is first.error


@pytest.mark.parametrize(
    ("first", "price"),
    [
        (doubtful(), 1.0),
        (failure(Response(status=429)), 0.0),
        (failure(NoResponse(detail="refused", sent=False)), 0.0),
    ],
    ids=["503", "429", "no connection"],
)
async def test_a_retry_costs_the_budget_what_it_may_add_to_the_load(
    first: Failure, price: float
) -> None:
    clock, budget = FastClock(), Mock(RetryBudget)
    retries = Retries(
        RetryPolicy(),
        clock.as_clock(),
        ENDLESS,
        ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock()),
        budget,
        is_uncounted=lambda _: False,
    )
    assert await retries.wait_after(first) is None
    retries.succeeded()
    assert budget.mock_calls == [call.spend(price), call.refund(price)]


async def test_a_call_of_a_run_that_waits_ends_with_the_outage_and_takes_no_tokens() -> None:
    clock, first, budget = FastClock(), doubtful(), Mock(RetryBudget)
    first.error.attempts = 3
    retries = Retries(
        RetryPolicy(),
        clock.as_clock(),
        Deadline(clock.now, 10.0, lambda: 0.0),
        Mock(ConcurrencyLimiter, given_up=True, last=first.error),
        budget,
        is_uncounted=lambda _: False,
    )
    end = await retries.wait_after(first)
    assert end is not None
    assert isinstance(end.error, OutageError)
    assert end.error.attempts == 3
    assert budget.mock_calls == []


async def test_the_retries_of_a_call_leave_nothing_to_the_garbage_collector() -> None:
    def never(_: Failure) -> bool:
        return False

    clock, seen = FastClock(), weakref.ref(never)
    retries = Retries(
        RetryPolicy(),
        clock.as_clock(),
        ENDLESS,
        ConcurrencyLimiter.adaptive(64, 300.0, clock.as_clock()),
        RetryBudget(clock.now),
        is_uncounted=never,
    )
    gc.disable()
    try:
        await retries.wait_after(doubtful())
        del retries, never
        assert seen() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("attempts", [1, 2, 3, 5, 20])
async def test_it_is_tried_as_often_as_the_policy_says(attempts: int) -> None:
    first, clock, again = doubtful(), FastClock(), Attempts(doubtful())
    result = await retried(first, again, clock, RetryPolicy(attempts=attempts))
    assert result is (again.results[0] if attempts > 1 else first)
    assert again.made == attempts - 1
    assert len(clock.sleeps) == attempts - 1


async def test_the_last_failure_is_the_one_that_is_told() -> None:
    failures = [doubtful() for _ in range(4)]
    first = doubtful()
    assert await retried(first, Attempts(*failures), FastClock()) is failures[-1]
    assert await retried(first, Attempts(), FastClock(), RetryPolicy(attempts=1)) is first


@pytest.mark.parametrize("value", ["a restream", None, False, 0, [], ()], ids=repr)
async def test_a_value_ends_the_retries(value: object) -> None:
    again = Attempts(doubtful(), value)
    assert await retried(doubtful(), again, FastClock()) == value
    assert again.made == 2


async def test_a_refusal_ends_the_retries() -> None:
    last = refused()
    again = Attempts(doubtful(), last)
    assert await retried(doubtful(), again, FastClock()) is last
    assert again.made == 2


async def test_a_refusal_is_not_retried() -> None:
    first, clock, again = refused(), FastClock(), Attempts("a restream")
    assert await retried(first, again, clock) is first
    assert (again.made, clock.sleeps) == (0, [])


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
    assert await retried(first, Attempts("a restream"), FastClock()) == "a restream"


async def test_the_waits_are_those_of_the_policy() -> None:
    clock = FastClock(1.0, 0.5, 0.25, 0.0)
    await retried(doubtful(), Attempts(doubtful()), clock, RetryPolicy(base=1, cap=3))
    assert clock.sleeps == [1.0, 1.0, 0.75, 0.0]


async def test_every_failure_may_ask_for_a_wait_of_its_own() -> None:
    clock = FastClock(0.0, 0.0, 0.5, 1.0)
    again = Attempts(doubtful(), asking_for("7"), asking_for("3600"), doubtful())
    await retried(asking_for("5"), again, clock)
    assert clock.sleeps == [5.0, 0.0, 8.0, 64.0]


async def test_what_cannot_connect_waits_half_of_it_at_least() -> None:
    """A second without the service must not use up all attempts, whatever the chances."""
    clock = FastClock(0.0, 0.5, 0.0, 1.0)
    away = failure(NoResponse(detail="refused", sent=False))
    await retried(away, Attempts(away), clock)
    assert clock.sleeps == [0.25, 0.75, 1.0, 4.0]


async def test_what_does_not_count_is_tried_again_without_end_and_soon() -> None:
    clock, again = FastClock(), Attempts(*[doubtful()] * 50, "a restream")
    end = await run_retries(
        doubtful(),
        again,
        policy=RetryPolicy(attempts=1),
        clock=clock.as_clock(),
        deadline=Deadline(lambda: 0.0, 0.1),
        excused=lambda _: True,
    )
    assert end == "a restream"
    assert clock.sleeps == [0.5, 1.0] + [2.0] * 49


async def test_what_does_not_count_is_not_tried_all_the_time() -> None:
    clock, again = FastClock(0.0), Attempts(*[doubtful()] * 9, "a restream")
    await run_retries(
        doubtful(),
        again,
        policy=RetryPolicy(base=0.001),
        clock=clock.as_clock(),
        deadline=ENDLESS,
        excused=lambda _: True,
    )
    assert clock.sleeps == [0.1] * 10


@pytest.mark.parametrize(("status", "slept"), [(429, [0.5]), (503, [7.5])])
async def test_of_what_does_not_count_only_a_429_does_not_wait_for_its_retry_after(
    status: int, slept: list[float]
) -> None:
    clock = FastClock()
    await run_retries(
        failure(Response(status=status, headers={"Retry-After": "7"})),
        Attempts("a restream"),
        policy=RetryPolicy(),
        clock=clock.as_clock(),
        deadline=ENDLESS,
        excused=lambda _: True,
    )
    assert clock.sleeps == slept


async def test_what_counts_again_uses_the_attempts_that_are_left() -> None:
    clock, again = FastClock(), Attempts(*[doubtful()] * 50)
    answers = iter([True, True, False])
    await run_retries(
        doubtful(),
        again,
        policy=RetryPolicy(attempts=3),
        clock=clock.as_clock(),
        deadline=ENDLESS,
        excused=lambda _: next(answers, False),
    )
    assert again.made == 2 + 2
    assert clock.sleeps == [0.5, 1.0, 2.0, 4.0]


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
    clock, again = FastClock(), Attempts(doubtful())
    result = await retried(doubtful(), again, clock, until=clock.time + room)
    assert isinstance(result, Failure)
    assert clock.sleeps == slept
    assert again.made == len(slept)


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    first, clock, again = asking_for("30"), FastClock(), Attempts("a restream")
    assert await retried(first, again, clock, until=clock.time + 30) is first
    assert (again.made, clock.sleeps) == (0, [])


async def test_the_time_that_attempts_take_counts_as_well() -> None:
    clock, made = FastClock(), 0

    async def slow() -> Failure:
        nonlocal made
        made += 1
        clock.time += 10
        return doubtful()

    await retried(doubtful(), slow, clock, RetryPolicy(attempts=100), until=clock.time + 23)
    assert made == 2


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt(), ValueError()])
async def test_an_exception_passes_straight_through(error: BaseException) -> None:
    again = Attempts(doubtful(), error)
    with pytest.raises(type(error)) as caught:
        await retried(doubtful(), again, FastClock())
    assert caught.value is error
    assert error.__cause__ is None
    assert again.made == 2


async def test_a_cancelled_attempt_is_not_tried_again() -> None:
    again, begun = Attempts("a restream"), asyncio.Event()

    async def hangs() -> object:
        begun.set()
        await asyncio.Event().wait()
        return await again()

    task = asyncio.create_task(retried(doubtful(), hangs, FastClock()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert again.made == 0


async def test_a_cancelled_wait_ends_the_retries_at_once() -> None:
    again, asleep = Attempts("a restream"), asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    clock = Clock(sleep=sleep)
    task = asyncio.create_task(
        run_retries(doubtful(), again, policy=RetryPolicy(), clock=clock, deadline=ENDLESS)
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
        await run_retries(
            doubtful(), again, policy=RetryPolicy(), clock=Clock(sleep=sleep), deadline=ENDLESS
        )
    assert again.made == 0


async def test_retries_of_several_calls_do_not_mix() -> None:
    async def one(number: int) -> None:
        clock = FastClock()
        again = Attempts(*(doubtful() for _ in range(number % 4)), f"restream {number}")
        assert await retried(doubtful(), again, clock) == f"restream {number}"
        assert again.made == number % 4 + 1
        assert clock.sleeps == [0.5, 1.0, 2.0, 4.0][: again.made]

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(one(number))


async def test_every_retry_is_logged_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = failure(
        Response(status=503, body=f"no {STREAM_KEY}".encode()), request=API.create(new())
    )
    with caplog.at_level(logging.INFO, logger="restream_async"):
        await retried(told, Attempts(told), FastClock(), RetryPolicy(attempts=3))
    assert [record.getMessage() for record in caplog.records] == [
        f"attempt 1 failed, again in 0.5 s: {told.error}",
        f"attempt 2 failed, again in 1 s: {told.error}",
    ]
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert STREAM_KEY not in caplog.text
    assert "(no ***)" in caplog.text
    assert fields_of(caplog.records[1]) == {
        "restream_method": "POST",
        "restream_route": "/api/v1/p1/restreams",
        "restream_video_id": "v1",
        "restream_attempt": 2,
        "restream_wait": 1.0,
        "restream_error": "BackendFetchFailedError",
        "restream_status": 503,
    }


async def test_a_retry_without_an_answer_has_no_status(caplog: pytest.LogCaptureFixture) -> None:
    away = failure(NoResponse(detail="refused", sent=False))
    with caplog.at_level(logging.INFO, logger="restream_async"):
        await retried(away, Attempts("a restream"), FastClock())
    [record] = caplog.records
    assert fields_of(record)["restream_error"] == "TransportError"
    assert fields_of(record)["restream_status"] is None


async def test_a_retry_costs_no_text_if_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    told = failure(Response(status=503), request=API.create(new()))
    with caplog.at_level(logging.WARNING, logger="restream_async"):
        await retried(told, Attempts("a restream"), FastClock())
    assert caplog.records == []


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name.startswith("restream_")}
