"""Statuses of one video are set in turns, and their end is known or said to be unknown."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import (
    OutcomeUnknownError,
    Restream,
)
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline, Stop
from restream_async.errors import AttemptTimeoutError, NotSentError
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.status_setter import one_active, order, setter_of
from tests.helpers.strategies import quick


@pytest.fixture
def backend() -> Backend:
    return one_active()


async def test_two_at_the_same_time_toggle_once(backend: Backend) -> None:
    client = in_memory_client(backend)
    statuses = setter_of(client)
    results = await asyncio.gather(
        *(statuses.set_one("v1", 1, client.executor.begin_call(), on=False) for _ in range(3))
    )

    assert results == [backend.stored[0]] * 3
    assert not backend.stored[0].status
    assert backend.count("PUT") == 1
    assert statuses._turns == {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def test_other_videos_do_not_wait(backend: Backend) -> None:
    statuses = setter_of(in_memory_client(backend))
    async with asyncio.timeout(5), statuses.turn("v1"), statuses.turn("v2"):
        pass


async def test_a_call_that_gets_no_turn_before_its_deadline_sends_nothing(
    backend: Backend,
) -> None:
    client = in_memory_client(backend)
    statuses = setter_of(client)
    async with statuses.turn("v1"):
        late = await statuses.set_one("v1", 1, Deadline(lambda: 0.0, 0.001), on=False)

    assert isinstance(late, Failure)
    assert type(late.error) is AttemptTimeoutError
    assert "another status of the video was being set until the deadline" in str(late.error)
    assert order(backend) == ""
    assert statuses._turns == {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def test_a_stop_ends_the_wait_for_a_turn_also_of_a_patient_call(backend: Backend) -> None:
    client = in_memory_client(backend)
    statuses = setter_of(client)
    stop = Stop()
    asyncio.get_running_loop().call_soon(stop.request)
    async with statuses.turn("v1"):
        deadline = client.executor.begin_patient_call(stop)
        late = await statuses.set_one("v1", 1, deadline, on=False)

    assert isinstance(late, Failure)
    assert type(late.error) is NotSentError


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.LOST_BEFORE, Fate.UNSENT])
async def test_a_list_that_fails_for_another_reason_is_not_explained(
    backend: Backend, fate: Fate
) -> None:
    backend.meets("GET", *[fate] * 3)
    client = in_memory_client(backend)
    failed = await setter_of(client).set_one("v1", 1, client.executor.begin_call(), on=False)

    assert isinstance(failed, Failure)
    assert "a status can be set only if" not in str(failed.error)


@pytest.mark.parametrize(("failures", "refunds"), [(0, []), (1, [1.0]), (2, [1.0]), (3, [])])
async def test_the_toggle_that_succeeds_costs_the_retry_budget_nothing(
    backend: Backend, failures: int, refunds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    refunded: list[float] = []

    def refund(_: RetryBudget, price: float) -> None:
        refunded.append(price)

    monkeypatch.setattr(RetryBudget, "refund", refund)
    backend.meets("PUT", *[Fate.LOST_BEFORE] * failures)
    client = in_memory_client(backend, attempts=3)
    await setter_of(client).set_one("v1", 1, client.executor.begin_call(), on=False)

    assert refunded == refunds


FATES = st.sampled_from(Fate)


@quick
@given(puts=st.lists(FATES, max_size=12), gets=st.lists(FATES, max_size=12), on=st.booleans())
def test_whatever_fails_the_status_is_the_wanted_one_or_the_old_one_or_unknown(
    puts: list[Fate], gets: list[Fate], *, on: bool
) -> None:
    async def scene() -> None:
        backend = Backend()
        backend.add(new())
        backend.add(new("b"))
        backend.meets("PUT", *puts)
        backend.meets("GET", *gets)
        client = in_memory_client(backend)
        result = await setter_of(client).set("v1", {1: on, 2: not on}, client.executor.begin_call())
        for (restream_id, wanted), stored in zip(
            {1: on, 2: not on}.items(), backend.stored, strict=True
        ):
            match result.restreams[restream_id]:
                case Restream() as restream:
                    assert restream == stored
                    assert stored.status is wanted
                case Failure(error=OutcomeUnknownError()):
                    assert not wanted, "those that were on from the start are never toggled"
                case Failure():
                    assert stored.status
            if wanted:
                assert stored.status

    asyncio.run(scene())
