"""Clean-up that comes to its end, however often its task is cancelled."""

import asyncio
import gc
import weakref

import pytest

from restream_async._util.tasks import run_to_completion


async def cancelled(task: asyncio.Task[None], times: int) -> None:
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)


async def test_what_it_returns_and_raises_arrives() -> None:
    async def fail() -> None:
        raise LookupError

    assert await run_to_completion(lambda: asyncio.sleep(0, 5)) == 5
    with pytest.raises(LookupError):
        await run_to_completion(fail)


@pytest.mark.parametrize("times", [1, 2, 10])
@pytest.mark.parametrize("fails", [False, True])
async def test_it_ends_before_the_cancellation_goes_on(times: int, fails: bool) -> None:  # noqa: FBT001 - a parameter
    ended: list[bool] = []
    due = asyncio.Event()

    async def work() -> None:
        await due.wait()
        ended.append(True)
        if fails:
            raise LookupError

    task = asyncio.create_task(run_to_completion(work))
    await asyncio.sleep(0)
    await cancelled(task, times)
    assert not task.done()
    due.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert task.cancelling() == times, "whoever cancelled it counts on that"


async def test_the_error_of_work_that_was_cancelled_is_not_reported_as_lost() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    task = asyncio.create_task(run_to_completion(fail))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    await asyncio.sleep(0)
    gc.collect()
    assert reported == []


async def test_an_interruption_is_freed_as_soon_as_it_is_handled() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(run_to_completion(work))
    await asyncio.sleep(0)
    task.cancel()
    seen: weakref.ref[asyncio.CancelledError] | None = None
    gc.disable()
    try:
        try:
            await task
        except asyncio.CancelledError as error:
            seen = weakref.ref(error)
        del task
        await asyncio.sleep(0)
        assert seen is not None
        assert seen() is None
    finally:
        gc.enable()


async def test_it_begins_again_where_something_cancels_all_tasks() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.01)

    task = asyncio.create_task(run_to_completion(work))
    for _ in range(3):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun > 1


async def test_what_was_cancelled_in_itself_is_not_tried_for_ever() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await run_to_completion(work)
        task = asyncio.create_task(run_to_completion(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
