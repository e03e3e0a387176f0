"""A timeout is neither lost nor taken for a cancellation from outside."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from restream_async._http.shared_timeouts import SharedTimeout, SharedTimeouts
from tests.helpers.simulated_time import now, simulated

SOON = 0.002


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def expiring() -> SharedTimeout:
    """Return a timeout of the running task that expires when the task next waits."""
    task = asyncio.current_task()
    assert task is not None
    timeout = SharedTimeout(task, set())
    asyncio.get_running_loop().call_soon(timeout.expire)
    return timeout


async def test_a_timeout_cancels_its_task_and_says_so() -> None:
    timeout = SharedTimeouts(asyncio.get_running_loop()).start(SOON)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()

    assert timeout.expired()
    assert timeout.expired(), "asked again, it says the same"
    assert cancelling() == 0


async def test_a_cancelled_timeout_cancels_no_task() -> None:
    timeouts = SharedTimeouts(asyncio.get_running_loop())
    cancelled, other = timeouts.start(SOON), timeouts.start(SOON)
    cancelled.cancel()
    other.cancel()
    await asyncio.sleep(2 * SOON)

    assert not cancelled.expired()
    assert cancelling() == 0


async def test_those_of_one_moment_expire_together() -> None:
    timeouts = SharedTimeouts(asyncio.get_running_loop())

    async def wait() -> bool:
        timeout = timeouts.start(SOON)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return timeout.expired()
        return False

    assert await asyncio.gather(*(wait() for _ in range(20))) == [True] * 20


@simulated
async def test_a_timeout_expires_on_time_or_at_most_a_64th_part_later() -> None:
    timeouts = SharedTimeouts(asyncio.get_running_loop())

    async def took(begin: float, seconds: float) -> float:
        await asyncio.sleep(begin)
        timeout, begun = timeouts.start(seconds), now()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        assert timeout.expired()
        return (now() - begun) / seconds

    begins = [number * 0.013 for number in range(100)]
    shares = await asyncio.gather(*(took(begin, seconds) for begin in begins for seconds in (5, 9)))
    assert 1 <= min(shares) <= max(shares) <= 1 + 1 / 64
    assert max(shares) > 1 + 1 / 128, "many share a timer"


async def test_an_answer_of_the_same_moment_does_not_overtake_it() -> None:
    """The answer is there when the timeout expires, and the task has not run in between."""
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_result, None)
    timeout = expiring()
    with pytest.raises(asyncio.CancelledError):
        await answer

    assert answer.done()
    assert timeout.expired()


@pytest.mark.parametrize("order", ["timeout, somebody", "somebody, timeout", "somebody"])
async def test_a_task_that_is_cancelled_from_outside_stays_cancelled(order: str) -> None:
    told: list[tuple[bool, bool, int]] = []

    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        timeout = SharedTimeout(task, set())
        loop = asyncio.get_running_loop()
        for canceller in order.split(", "):
            if canceller == "timeout":
                loop.call_soon(timeout.expire)
            else:
                loop.call_soon(task.cancel)
        try:
            await asyncio.Event().wait()
        finally:
            timeout.cancel()
            told.append((timeout.expired(), timeout.cancelled_from_outside, task.cancelling()))

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task

    assert told == [(False, True, 1)]


async def test_a_swallowed_timeout_leaves_no_cancellation_behind() -> None:
    timeout = expiring()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        """As somebody's own code may do who watches the session."""
    timeout.cancel()

    assert cancelling() == 0
    assert timeout.expired()
    async with asyncio.TaskGroup() as group:  # It asks for cancellations that it did not make.
        group.create_task(asyncio.sleep(0))


class Timers:
    """Every timer that is set in the running event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._set: list[asyncio.TimerHandle] = []
        call_at = loop.call_at

        def note(*args: Any, **options: Any) -> asyncio.TimerHandle:  # noqa: ANN401 - the loop's
            timer = call_at(*args, **options)
            self._set.append(timer)
            return timer

        monkeypatch.setattr(loop, "call_at", note)

    @property
    def left(self) -> int:
        """How many are still to come."""
        return sum(not timer.cancelled() for timer in self._set)


async def test_what_is_closed_leaves_no_timer_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers(monkeypatch)
    loop = asyncio.get_running_loop()
    timeouts = SharedTimeouts(loop)
    moment = loop.time()
    monkeypatch.setattr(loop, "time", lambda: moment)
    for seconds in (30.0, 5.0, 30.0):
        timeouts.start(seconds).cancel()
    assert timers.left == 2
    timeouts.close()
    assert timers.left == 0


async def test_a_timeout_that_runs_when_they_are_closed_expires_all_the_same() -> None:
    timeouts = SharedTimeouts(asyncio.get_running_loop())
    timeout = timeouts.start(SOON)
    timeouts.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()
    timeout.cancel()

    assert timeout.expired()
    assert cancelling() == 0


async def test_the_last_timeout_that_is_cancelled_takes_the_timer_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timers = Timers(monkeypatch)
    timeouts = SharedTimeouts(asyncio.get_running_loop())
    first, last = timeouts.start(30.0), timeouts.start(30.0)
    timeouts.close()
    first.cancel()
    assert timers.left == 1
    last.cancel()
    assert timers.left == 0


async def test_a_timeout_is_started_by_a_task() -> None:
    timeouts = SharedTimeouts(asyncio.get_running_loop())
    outcome = asyncio.get_running_loop().create_future()

    def outside() -> None:
        try:
            timeouts.start(SOON)
        except RuntimeError as error:
            outcome.set_result(str(error))

    asyncio.get_running_loop().call_soon(outside)

    assert await outcome == "a request must be made from a task"
