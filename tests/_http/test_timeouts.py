"""A time-out is neither lost nor taken for somebody else's cancellation."""

import asyncio
from typing import Any

import pytest

from restream_async._http.timeouts import SharedTimeout, SharedTimeouts

SOON = 0.002


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def ringing() -> SharedTimeout:
    """Return an alarm of the running task that rings when the task next waits."""
    task = asyncio.current_task()
    assert task is not None
    alarm = SharedTimeout(task, set())
    asyncio.get_running_loop().call_soon(alarm.ring)
    return alarm


async def test_an_alarm_cancels_its_task_and_says_so() -> None:
    alarm = SharedTimeouts(asyncio.get_running_loop()).set(SOON)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()

    assert alarm.rang()
    assert alarm.rang(), "asked again, it says the same"
    assert cancelling() == 0


async def test_a_stopped_alarm_cancels_nobody() -> None:
    alarms = SharedTimeouts(asyncio.get_running_loop())
    stopped, other = alarms.set(SOON), alarms.set(SOON)
    stopped.stop()
    other.stop()
    await asyncio.sleep(2 * SOON)

    assert not stopped.rang()
    assert cancelling() == 0


async def test_those_of_one_moment_ring_together() -> None:
    alarms = SharedTimeouts(asyncio.get_running_loop())

    async def wait() -> bool:
        alarm = alarms.set(SOON)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return alarm.rang()
        return False

    assert await asyncio.gather(*(wait() for _ in range(20))) == [True] * 20


async def test_an_answer_of_the_same_moment_does_not_overtake_it() -> None:
    """The answer is there when the alarm rings, and the task has not run in between."""
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_result, None)
    alarm = ringing()
    with pytest.raises(asyncio.CancelledError):
        await answer

    assert answer.done()
    assert alarm.rang()


@pytest.mark.parametrize("first", ["the alarm", "somebody"])
async def test_who_is_cancelled_by_somebody_else_as_well_stays_cancelled(first: str) -> None:
    told: list[tuple[bool, bool, int]] = []

    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        alarm = SharedTimeout(task, set())
        both = (alarm.ring, task.cancel) if first == "the alarm" else (task.cancel, alarm.ring)
        for cancel in both:
            asyncio.get_running_loop().call_soon(cancel)
        try:
            await asyncio.Event().wait()
        finally:
            alarm.stop()
            told.append((alarm.rang(), alarm.overruled, task.cancelling()))

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task

    assert told == [(False, True, 1)]


async def test_a_swallowed_alarm_leaves_no_cancellation_behind() -> None:
    alarm = ringing()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        """As somebody's own code may do who watches the session."""
    alarm.stop()

    assert cancelling() == 0
    assert alarm.rang()
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
    alarms = SharedTimeouts(loop)
    moment = loop.time()
    monkeypatch.setattr(loop, "time", lambda: moment)
    for seconds in (30.0, 5.0, 30.0):
        alarms.set(seconds).stop()
    assert timers.left == 2
    alarms.close()
    assert timers.left == 0


async def test_an_alarm_that_is_set_when_it_is_closed_rings_all_the_same() -> None:
    alarms = SharedTimeouts(asyncio.get_running_loop())
    alarm = alarms.set(SOON)
    alarms.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()
    alarm.stop()

    assert alarm.rang()
    assert cancelling() == 0


async def test_the_last_alarm_that_is_stopped_takes_the_timer_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timers = Timers(monkeypatch)
    alarms = SharedTimeouts(asyncio.get_running_loop())
    first, last = alarms.set(30.0), alarms.set(30.0)
    alarms.close()
    first.stop()
    assert timers.left == 1
    last.stop()
    assert timers.left == 0


async def test_an_alarm_is_set_by_a_task() -> None:
    alarms = SharedTimeouts(asyncio.get_running_loop())
    outcome = asyncio.get_running_loop().create_future()

    def outside() -> None:
        try:
            alarms.set(SOON)
        except RuntimeError as error:
            outcome.set_result(str(error))

    asyncio.get_running_loop().call_soon(outside)

    assert await outcome == "a request must be made from a task"
