from __future__ import annotations

import asyncio

import pytest

from restream_async.sandbox.timers import Timers


async def test_work_returns_its_result() -> None:
    assert await Timers().run_later(0.001, lambda: "work") == "work"


async def test_nothing_is_settled_while_a_commit_is_still_due() -> None:
    timers, done = Timers(), list[str]()
    timers.run_later(0.001, lambda: done.append("work"))
    timers.commit_later(0.02, lambda: done.append("commit"))
    assert done == []
    await timers.settled()

    assert done == ["work", "commit"]


async def test_nothing_is_settled_while_work_is_still_due() -> None:
    timers, done = Timers(), list[str]()
    timers.run_later(0.02, lambda: done.append("work"))
    timers.commit_later(0.001, lambda: done.append("commit"))
    await timers.settled()

    assert done == ["commit", "work"]


async def test_work_is_done_although_its_future_is_cancelled() -> None:
    timers, done = Timers(), list[str]()
    timers.run_later(0.001, lambda: done.append("work")).cancel()
    await timers.settled()

    assert done == ["work"]


async def test_closing_commits_at_once_drops_work_and_leaves_no_timer_behind() -> None:
    timers, done = Timers(), list[str]()
    work = timers.run_later(0.001, lambda: done.append("work"))
    timers.commit_later(0.001, lambda: done.append("commit"))
    timers.close()

    assert done == ["commit"]
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.sleep(0.003)
    assert done == ["commit"]


async def test_closing_ends_a_sleep() -> None:
    timers = Timers()
    sleeping = asyncio.create_task(timers.sleep(60))
    await asyncio.sleep(0)
    timers.close()

    with pytest.raises(asyncio.CancelledError):
        await sleeping
