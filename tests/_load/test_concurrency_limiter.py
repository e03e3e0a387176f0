import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._util.clock import Clock
from tests.helpers.strategies import quick


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Crowd:
    """People who go through a limiter when told to, and are remembered in the order of entering."""

    def __init__(self, limit: int) -> None:
        """Stand in front of a limiter with so many places."""
        self.limiter = ConcurrencyLimiter.adaptive(limit, 300.0, Clock())
        self.asked: list[asyncio.Task[None]] = []
        self.entered: list[int] = []
        self.inside: list[int] = []

    def ask(self) -> None:
        self.asked.append(asyncio.create_task(self._enter(len(self.asked))))

    def leave(self, which: int) -> None:
        if self.inside:
            del self.inside[which % len(self.inside)]
            self.limiter.release()

    def cancel(self, which: int) -> None:
        """Send somebody away who may wait, may have just been let in, or may be through."""
        if self.asked:
            self.asked[which % len(self.asked)].cancel()

    async def _enter(self, number: int) -> None:
        await self.limiter.acquire()
        self.entered.append(number)
        self.inside.append(number)
        assert len(self.inside) <= self.limiter.limit


@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "leave", "cancel", "cancel", "settle", "step"]),
            st.integers(0, 100),
        ),
        max_size=60,
    ),
    st.booleans(),
)
@quick
def test_no_slot_is_lost_or_added_in_any_order_of_requests(
    limit: int,
    happenings: Sequence[tuple[str, int]],
    prompt: bool,  # noqa: FBT001 - drawn
) -> None:
    async def scenario() -> None:
        crowd = Crowd(limit)
        limiter = crowd.limiter
        for what, which in happenings:
            match what:
                case "ask":
                    crowd.ask()
                    if prompt:
                        # Else what happens next comes before they have reached the limiter.
                        await asyncio.sleep(0)
                case "leave":
                    crowd.leave(which)
                case "cancel":
                    crowd.cancel(which)
                case "step":
                    await asyncio.sleep(0)
                case _:
                    await settle()
                    # Nobody waits beside a free place.
                    assert limiter.in_flight == len(crowd.inside)
                    assert limiter.in_flight == limit or limiter.waiting == 0
            assert limiter.in_flight <= limit
            assert len(crowd.inside) <= limit
        for _ in range(len(crowd.asked) + 1):
            await settle()
            crowd.leave(0)
        await settle()
        assert all(task.done() for task in crowd.asked)
        results = await asyncio.gather(*crowd.asked, return_exceptions=True)
        # Sent away or let in, and in the order in which they reached the limiter.
        let_in = [number for number, result in enumerate(results) if result is None]
        assert (crowd.entered if prompt else sorted(crowd.entered)) == let_in
        assert all(isinstance(result, asyncio.CancelledError | None) for result in results)
        assert (limiter.in_flight, limiter.waiting) == (0, 0)

    asyncio.run(scenario())


async def test_as_many_requests_as_the_limit_are_in_flight_at_once() -> None:
    crowd = Crowd(3)
    for _ in range(10):
        crowd.ask()
    await settle()
    limiter = crowd.limiter
    assert crowd.inside == [0, 1, 2]
    assert (limiter.limit, limiter.in_flight, limiter.waiting) == (3, 3, 7)
    for _ in range(10):
        crowd.leave(0)
        await settle()
    assert crowd.entered == list(range(10))


async def test_a_new_request_does_not_overtake_waiting_requests() -> None:
    crowd = Crowd(1)
    crowd.ask()
    crowd.ask()
    await settle()
    crowd.leave(0)
    crowd.ask()
    await settle()
    crowd.leave(0)
    await settle()
    assert crowd.entered == [0, 1, 2]


async def test_a_request_that_goes_ahead_takes_the_next_slot() -> None:
    limiter = ConcurrencyLimiter.adaptive(1, 300.0, Clock())
    await limiter.acquire()
    entered: list[str] = []

    async def enter(name: str, *, ahead: bool = False) -> None:
        await limiter.acquire(ahead=ahead)
        entered.append(name)

    tasks = [asyncio.create_task(enter(name)) for name in ("a", "b")]
    await settle()
    tasks.append(asyncio.create_task(enter("c", ahead=True)))
    await settle()
    for _ in range(3):
        limiter.release()
        await settle()
    assert entered == ["c", "a", "b"]
    await asyncio.gather(*tasks)


async def test_a_request_with_a_free_slot_does_not_wait_even_for_the_event_loop() -> None:
    limiter = ConcurrencyLimiter.adaptive(1, 300.0, Clock())
    with pytest.raises(StopIteration):
        limiter.acquire().send(None)
    assert limiter.in_flight == 1


async def test_try_acquire_takes_a_free_slot() -> None:
    limiter = ConcurrencyLimiter.adaptive(2, 300.0, Clock())
    assert [(limiter.has_slot, limiter.try_acquire()) for _ in range(4)] == [
        (True, True),
        (True, True),
        (False, False),
        (False, False),
    ]
    assert (limiter.in_flight, limiter.waiting) == (2, 0)
    limiter.release()
    assert limiter.has_slot
    assert limiter.try_acquire()


async def test_try_acquire_does_not_overtake_waiting_requests() -> None:
    crowd = Crowd(1)
    crowd.ask()
    crowd.ask()
    await settle()
    crowd.leave(0)
    assert not crowd.limiter.has_slot
    assert not crowd.limiter.try_acquire()
    await settle()
    assert crowd.inside == [1]


async def test_a_slot_that_a_request_waits_for_is_not_free() -> None:
    crowd = Crowd(1)
    crowd.ask()
    crowd.ask()
    await settle()
    crowd.cancel(1)
    # Sent away, but not gone yet.
    assert not crowd.limiter.has_slot
    await settle()
    crowd.leave(0)
    assert crowd.limiter.has_slot


async def test_a_released_slot_goes_to_the_request_that_has_waited_longest() -> None:
    crowd = Crowd(1)
    for _ in range(3):
        crowd.ask()
    await settle()
    crowd.leave(0)
    # Handed over at once: nobody can snatch it in between.
    assert (crowd.limiter.in_flight, crowd.limiter.waiting) == (1, 1)
    await settle()
    assert crowd.inside == [1]


async def test_a_cancelled_waiting_request_gets_no_slot() -> None:
    crowd = Crowd(1)
    for _ in range(3):
        crowd.ask()
    await settle()
    crowd.cancel(1)
    await settle()
    assert crowd.limiter.waiting == 1
    crowd.leave(0)
    await settle()
    assert crowd.entered == [0, 2]


async def test_a_request_that_is_cancelled_as_it_gets_a_slot_passes_the_slot_on() -> None:
    crowd = Crowd(1)
    for _ in range(3):
        crowd.ask()
    await settle()
    crowd.leave(0)
    crowd.cancel(1)
    await settle()
    assert crowd.entered == [0, 2]
    assert crowd.asked[1].cancelled()


async def test_a_request_that_is_cancelled_right_before_a_release_takes_no_slot() -> None:
    crowd = Crowd(1)
    for _ in range(3):
        crowd.ask()
    await settle()
    crowd.cancel(1)
    crowd.leave(0)
    await settle()
    assert crowd.entered == [0, 2]
    assert crowd.asked[1].cancelled()


async def test_the_slot_is_free_after_all_waiting_requests_are_cancelled() -> None:
    crowd = Crowd(1)
    for _ in range(3):
        crowd.ask()
    await settle()
    crowd.cancel(1)
    crowd.cancel(2)
    crowd.leave(0)
    await settle()
    assert [task.cancelled() for task in crowd.asked] == [False, True, True]
    assert (crowd.limiter.in_flight, crowd.limiter.waiting) == (0, 0)
    assert crowd.limiter.try_acquire()


class Counted(asyncio.Future[None]):
    """Counts how often any of its kind is compared."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return self is other

    def __hash__(self) -> int:
        return id(self)


@pytest.mark.parametrize("fresh", [False, True])
async def test_waiting_requests_are_cancelled_without_a_search(
    fresh: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_future", lambda: Counted(loop=loop))
    limiter = ConcurrencyLimiter.adaptive(1, 300.0, Clock())
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire(fresh=fresh)) for _ in range(1000)]
    await settle()
    assert limiter.waiting == len(tasks)
    Counted.comparisons = 0
    # The last one first, which is the furthest away.
    for task in reversed(tasks):
        task.cancel()
    await settle()

    assert limiter.waiting == 0
    assert all(task.cancelled() for task in tasks)
    assert Counted.comparisons <= len(tasks)
