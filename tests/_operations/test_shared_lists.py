"""Existence checks share lists, and use none that could miss what exists."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import attrs
import pytest

from restream_async._operations.shared_lists import RECENT, SharedLists
from restream_async._retry.classification import Classification, Failure
from restream_async.errors import ApiError, Call
from restream_async.models import Restream

Answer = list[Restream] | Failure | None


def there(restream_id: int) -> Restream:
    return Restream(
        id=restream_id,
        title="t",
        stream_key="k",
        stream_url="rtmp://h/a",
        status=True,
        video_id="v",
    )


def failure() -> Failure:
    return Failure(Classification.IN_DOUBT, ApiError(Call("GET", "/list", "v"), status=500))


@attrs.define
class Checks:
    """Existence checks of one client. A list is answered when the test says so."""

    now: float = 100.0
    requests: list[asyncio.Future[Answer]] = attrs.field(factory=list[Any])
    lists: SharedLists = attrs.field(init=False)
    tasks: "list[asyncio.Task[Answer]]" = attrs.field(factory=list[Any])

    def __attrs_post_init__(self) -> None:
        self.lists = SharedLists(lambda: self.now)

    async def begin(
        self,
        *,
        recent: bool = False,
        key: str = "K",
        video: str = "v",
        seconds: float | None = None,
    ) -> "asyncio.Task[Answer]":
        """Begin a check, and let it come as far as it comes."""

        def request() -> Awaitable[Answer]:
            self.requests.append(asyncio.get_running_loop().create_future())
            return self.requests[-1]

        task = asyncio.create_task(
            self.lists.get(video, key, request, recent=recent, seconds=seconds)
        )
        self.tasks.append(task)
        await self.settle()
        return task

    async def answer(self, answer: Answer) -> None:
        """Answer the list that was requested last."""
        self.now += 0.1
        self.requests[-1].set_result(answer)
        await self.settle()

    async def settle(self) -> None:
        self.now += 0.01
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def checks() -> AsyncIterator[Checks]:
    """Checks of one client; those that still wait at the end of the test are cancelled."""
    checks = Checks()
    yield checks
    for task in checks.tasks:
        task.cancel()
    await asyncio.gather(*checks.tasks, return_exceptions=True)


async def test_a_check_on_its_own_gets_a_list_of_its_own(checks: Checks) -> None:
    check = await checks.begin()
    await checks.answer([there(1)])

    assert await check == [there(1)]
    assert len(checks.requests) == 1


async def test_checks_that_begin_while_a_list_is_in_progress_share_the_next_one(
    checks: Checks,
) -> None:
    first = await checks.begin()
    others = [await checks.begin(key=f"K{n}") for n in range(15)]
    assert len(checks.requests) == 1, "at most one list of a video is under way"

    await checks.answer([])
    assert await first == []
    assert not any(each.done() for each in others), "it was requested before they began"
    await checks.answer([there(1)])

    assert await asyncio.gather(*others) == [[there(1)]] * 15
    assert len(checks.requests) == 2


async def test_videos_do_not_wait_for_each_other(checks: Checks) -> None:
    await checks.begin(video="v1")
    second = await checks.begin(video="v2")

    assert len(checks.requests) == 2
    await checks.answer([])
    assert await second == []


async def test_a_fresh_check_never_uses_a_list_from_before_it(checks: Checks) -> None:
    await checks.begin(recent=True)
    await checks.answer([])

    await checks.begin()

    assert len(checks.requests) == 2


async def test_a_check_may_use_a_list_of_the_last_second_where_that_is_good_enough(
    checks: Checks,
) -> None:
    await checks.begin(recent=True)
    requested = checks.now
    await checks.answer([there(1)])

    checks.now = requested + 0.9
    again = await checks.begin(recent=True, key="other")
    assert await again == [there(1)]
    assert len(checks.requests) == 1

    checks.now = requested + 1.0
    await checks.begin(recent=True, key="other")
    assert len(checks.requests) == 2


async def test_a_recent_list_is_used_at_once_though_the_next_one_is_in_progress(
    checks: Checks,
) -> None:
    await checks.begin(recent=True)
    await checks.answer([there(1)])
    await checks.begin()

    assert await (await checks.begin(recent=True)) == [there(1)]


async def test_a_recent_list_is_not_used_for_what_this_client_tried_to_create_since(
    checks: Checks,
) -> None:
    await checks.begin(recent=True, key="K1")
    await checks.answer([])
    checks.lists.note_end("v", "K1")
    checks.lists.note_end("another video", "K2")

    await checks.begin(recent=True, key="K2")
    assert len(checks.requests) == 1
    again = await checks.begin(recent=True, key="K1")
    assert len(checks.requests) == 2
    await checks.answer([there(1)])
    assert await again == [there(1)]
    assert await (await checks.begin(recent=True, key="K1")) == [there(1)]


async def test_what_ended_while_a_list_was_in_progress_is_not_checked_in_it(
    checks: Checks,
) -> None:
    await checks.begin(recent=True, key="K1")
    checks.lists.note_end("v", "K2")
    await checks.answer([])

    await checks.begin(recent=True, key="K2")

    assert len(checks.requests) == 2


async def test_a_failure_is_not_shared(checks: Checks) -> None:
    begun = [await checks.begin() for _ in range(3)]
    failed = failure()

    await checks.answer(failed)
    await checks.answer(failed)
    await checks.answer([])

    assert await asyncio.gather(*begun) == [failed, failed, []]


async def test_that_there_is_nothing_to_list_is_shared(checks: Checks) -> None:
    await checks.begin(recent=True)
    await checks.answer(None)

    assert await (await checks.begin(recent=True)) is None
    assert len(checks.requests) == 1


async def test_where_the_check_that_requested_is_cancelled_the_next_one_requests(
    checks: Checks,
) -> None:
    first, second = await checks.begin(), await checks.begin()

    first.cancel()
    await checks.settle()
    await checks.answer([there(1)])

    assert await second == [there(1)]
    assert len(checks.requests) == 2


async def test_a_check_waits_no_longer_than_it_may(checks: Checks) -> None:
    first = await checks.begin()

    late = await checks.begin(seconds=0.0)

    with pytest.raises(TimeoutError):
        await late
    await checks.answer([])
    assert await first == []


async def test_only_recent_lists_that_a_creation_may_use_are_kept(checks: Checks) -> None:
    for recent in (False, True):
        check = await checks.begin(recent=recent)
        await checks.answer([there(1)])
        await check
        assert kept(checks) == ["v"] * recent

    checks.now += RECENT
    await checks.begin(recent=True, video="other")

    assert kept(checks) == ["other"]


async def test_a_list_that_is_no_use_any_more_is_forgotten_with_all_that_belongs_to_it(
    checks: Checks,
) -> None:
    await checks.begin(recent=True)
    await checks.answer([there(1)])

    checks.now += RECENT
    checks.lists.note_end("v", "K")

    assert kept(checks) == []


async def test_while_a_list_is_in_progress_nothing_of_its_video_is_forgotten(
    checks: Checks,
) -> None:
    await checks.begin(recent=True)
    checks.now += 10 * RECENT

    await checks.begin(recent=True, video="other")

    assert kept(checks) == ["v", "other"]


async def test_of_ends_only_those_that_the_latest_list_may_miss_are_remembered(
    checks: Checks,
) -> None:
    for number in range(10):
        # No recent list will do, because this key's creation has just ended.
        check = await checks.begin(recent=True, key=f"K{number - 1}")
        checks.lists.note_end("v", f"K{number}")
        await checks.answer([])
        await check

        assert list(video(checks).ended) == [f"K{number}"]


def video(checks: Checks) -> Any:  # noqa: ANN401 - what is kept of it
    return checks.lists.videos["v"]  # pyright: ignore[reportPrivateUsage]


def kept(checks: Checks) -> list[str]:
    return list(checks.lists.videos)  # pyright: ignore[reportPrivateUsage]
