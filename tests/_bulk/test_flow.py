"""The main flow of a bulk run: each item comes to its own outcome."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from restream_async import BadRequestError, Created, Failed, InternalServerError, Origin
from restream_async._operations.draining import STOP_GRACE
from restream_async.sandbox import Sandbox
from tests.helpers.bulk_inputs import KINDS, LATER, NO, CountingInput, by_video, origin_values
from tests.helpers.client_calls import outcomes_of
from tests.helpers.in_memory_service import Backend, in_memory_client
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import Peer, RawServer, Seen
from tests.helpers.samples import INTERNAL_ERROR, as_asked, listed, many, new_restream, on_the_wire
from tests.helpers.simulated_time import now, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from restream_async import NewRestream


async def test_outcomes_come_in_the_order_in_which_they_finish() -> None:
    late = asyncio.Event()

    async def act(peer: Peer, request: Seen) -> None:
        if b'"v0"' in request.body:
            await late.wait()
        await as_asked(peer, request)

    async with RawServer(post=act) as server, leak_checked_client(server) as client:
        indexes: list[int] = []
        async with client.create_many(many(3)) as run:
            async for outcome in run:
                indexes.append(outcome.index)
                if len(indexes) == 2:
                    late.set()

    assert indexes[2] == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failed_item_does_not_stop_other_items(kind: str) -> None:
    steps = by_video(v1=NO, v4=[LATER, NO])
    async with (
        RawServer(post=steps) as server,
        leak_checked_client(server, max_in_flight=2) as client,
    ):
        outcomes = await outcomes_of(client, CountingInput(6).input(kind))

    failed = {outcome.index: outcome for outcome in outcomes if isinstance(outcome, Failed)}
    assert len(outcomes) == 6
    assert sorted(failed) == [1, 4]
    assert [failed[index].attempts for index in (1, 4)] == [1, 2]
    assert [failed[index].request.video_id for index in (1, 4)] == ["v1", "v4"]
    for outcome in failed.values():
        assert type(outcome.error) is BadRequestError
        assert outcome.error.attempts == outcome.attempts


NEW: Final = new_restream()


class TestEnsure:
    async def test_what_is_there_is_not_sent(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            await client.create_all(many(3))
            report = await client.create_all(many(5), ensure=True)

        assert origin_values(report) == ["existing"] * 3 + ["posted"] * 2
        assert [outcome.attempts for outcome in report.created] == [0, 0, 0, 1, 1]
        assert sandbox.counts.posts == 5
        assert (report.counts.existing, report.counts.posted, report.counts.created) == (3, 2, 5)

    async def test_a_check_that_fails_is_the_outcome_and_nothing_is_sent(self) -> None:
        async with RawServer(get=INTERNAL_ERROR) as server, leak_checked_client(server) as client:
            report = await client.create_all([NEW], ensure=True)

        [failed] = report.failed
        assert type(failed.error) is InternalServerError
        assert (failed.attempts, failed.error.attempts) == (0, 5)
        assert server.counts == {"GET": 5}
        assert report.counts.failed == {"InternalServerError": 1}

    async def test_the_check_gives_back_the_slot_that_was_taken_for_the_post(self) -> None:
        async with (
            Sandbox() as sandbox,
            leak_checked_client(sandbox, max_in_flight=1) as client,
            asyncio.timeout(5),
        ):
            report = await client.create_all(many(5), ensure=True)

        assert origin_values(report) == ["posted"] * 5


@simulated
async def test_after_the_block_is_left_the_input_has_all_the_time_to_close() -> None:
    closed: list[float] = []

    async def source() -> AsyncIterator[NewRestream]:
        try:
            yield NEW
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(STOP_GRACE + 1)
            closed.append(now())

    async with in_memory_client(Backend()).run(source=source()) as run:
        await anext(run)
        run.stop()
    assert closed == [STOP_GRACE + 1]


async def test_the_outcomes_of_a_run_say_where_they_come_from() -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=listed(on_the_wire(NEW, 7))) as server,
        leak_checked_client(server) as client,
    ):
        [outcome] = await outcomes_of(client, [NEW])

    assert isinstance(outcome, Created)
    assert outcome.origin is Origin.CONFIRMED
