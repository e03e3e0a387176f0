"""What a bulk run reports: each item, in its place, with what became of it."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import BadRequestError, Created, Failed, NewRestream, Origin
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.bulk_inputs import LATER, NO, by_video
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import Peer, RawServer, Seen
from tests.helpers.samples import (
    INTERNAL_ERROR,
    SECRETS,
    answer,
    as_asked,
    created,
    listed,
    many,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from restream_async import NewRestream

EVERY_KIND: Final = [
    Fault.INTERNAL_ERROR,
    Fault.BACKEND_FETCH_FAILED,
    Fault.RESET,
    Fault.TRUNCATED,
    Fault.GARBAGE,
]


async def test_the_report_is_in_the_order_of_the_input() -> None:
    async with (
        Sandbox(latency=lambda random: random.uniform(0, 0.01)) as sandbox,
        leak_checked_client(sandbox) as client,
    ):
        report = await client.create_all(many(40))

    assert [outcome.index for outcome in report.created] == list(range(40))
    assert [outcome.restream.video_id for outcome in report.created] == [
        f"v{number}" for number in range(40)
    ]
    assert report.failed == ()
    report.raise_for_failures()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_every_outcome_tells_its_place_its_attempts_and_its_origin(kind: str) -> None:
    steps = by_video(
        v1=[LATER, LATER, created()],
        v2=NO,
        v3=INTERNAL_ERROR,
        v4=[INTERNAL_ERROR, NO],
    )
    requests = many(5)
    there = listed(on_the_wire(requests[3], 33))

    async def items() -> AsyncIterator[NewRestream]:
        for new in requests:
            yield new

    async with RawServer(post=steps, get=there) as server, leak_checked_client(server) as client:
        report = await client.create_all(requests if kind == "sync" else items())
        await assert_nothing_left(client)

    assert [
        (outcome.index, outcome.attempts, outcome.origin, outcome.maybe_duplicate)
        for outcome in report.created
    ] == [
        (0, 1, Origin.POSTED, False),
        (1, 3, Origin.POSTED, False),
        (3, 1, Origin.CONFIRMED, False),
    ]
    assert [(outcome.index, outcome.attempts) for outcome in report.failed] == [(2, 1), (4, 2)]
    assert [outcome.request for outcome in report.created + report.failed] == [
        requests[index] for index in (0, 1, 3, 2, 4)
    ]
    assert report.created[2].restream.id == 33


async def test_failures_are_raised_as_a_group_with_their_places() -> None:
    async with (
        RawServer(post=by_video(v1=NO, v3=NO)) as server,
        leak_checked_client(server) as client,
    ):
        report = await client.create_all(many(4))
    with pytest.raises(ExceptionGroup) as caught:
        report.raise_for_failures()

    group = caught.value
    assert group.message == "2 of 4 restreams were not created"
    assert [type(error) for error in group.exceptions] == [BadRequestError, BadRequestError]
    assert [error.__notes__ for error in group.exceptions] == [
        [
            (
                f"item {index} of the input: NewRestream(video_id='v{index}', title='YouTube', "
                "stream_url='rtmps://live.example.com/***', status=True)"
            )
        ]
        for index in (1, 3)
    ]


async def test_raising_twice_says_it_no_louder() -> None:
    async with RawServer(post=NO) as server, leak_checked_client(server) as client:
        report = await client.create_all(many(1))
    for _ in range(2):
        with pytest.raises(ExceptionGroup) as caught:
            report.raise_for_failures()
        assert len(caught.value.exceptions[0].__notes__) == 1


async def test_the_group_shows_no_secret() -> None:
    echo = answer(" ".join(SECRETS).encode(), "400 Bad Request")
    async with RawServer(post=echo) as server, leak_checked_client(server) as client:
        report = await client.create_all(many(2))
    with pytest.raises(ExceptionGroup) as caught:
        report.raise_for_failures()

    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(report)
    assert not [secret for secret in SECRETS if secret in shown]


async def test_a_kept_error_holds_no_frames_of_the_run() -> None:
    """They would keep alive all that the run has touched, for as long as a report lives."""
    async with RawServer(post=NO) as server, leak_checked_client(server) as client:
        report = await client.create_all(many(1))

    error = report.failed[0].error
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_thousand_creations_through_faults_exist_exactly_once_each(seed: int) -> None:
    faults = Faults(
        before=dict.fromkeys(EVERY_KIND, 0.02),
        after=dict.fromkeys(EVERY_KIND, 0.03),
        listing=dict.fromkeys(EVERY_KIND, 0.02),
        max_faults=3,
        retry_after=None,
    )
    requests = many(2000 if seed == 1 else 500)
    async with Sandbox(faults=faults, seed=seed) as sandbox:
        async with leak_checked_client(sandbox, attempts=8) as client:
            report = await client.create_all(requests)
        counts = sandbox.counts

    assert report.failed == ()
    assert sandbox.duplicates() == ()
    assert [stored.video_id for stored in sorted(sandbox.stored, key=_number)] == [
        new.video_id for new in requests
    ]
    ids = {stored.video_id: stored.id for stored in sandbox.stored}
    assert all(outcome.restream.id == ids[outcome.request.video_id] for outcome in report.created)
    # The faults really struck, in every way and at both times.
    assert set(counts.faults.before) == set(counts.faults.after) == set(EVERY_KIND)
    confirmed = sum(outcome.origin is Origin.CONFIRMED for outcome in report.created)
    assert confirmed == sum(counts.faults.after.values())
    assert not any(outcome.maybe_duplicate for outcome in report.created)


def _number(stored: Any) -> int:  # noqa: ANN401 - what the sandbox stores
    return int(stored.video_id[1:])


async def test_a_restream_that_is_reported_as_failed_does_not_exist() -> None:
    """Even where hardly anything works: what is stored is reported as created."""
    faults = Faults(
        before=dict.fromkeys(EVERY_KIND, 0.08),
        after=dict.fromkeys(EVERY_KIND, 0.1),
        retry_after=None,
    )
    async with (
        Sandbox(faults=faults, seed=5) as sandbox,
        leak_checked_client(sandbox, attempts=2) as client,
    ):
        report = await client.create_all(many(300))

    stored = {restream.video_id for restream in sandbox.stored}
    assert len(report.failed) > 5
    assert {outcome.request.video_id for outcome in report.created} == stored
    assert len(stored) == len(sandbox.stored)
    assert not {outcome.request.video_id for outcome in report.failed} & stored


async def test_outcomes_are_either_created_or_failed() -> None:
    def requests() -> Iterator[NewRestream]:
        yield from many(3)

    async with (
        RawServer(post=by_video(v1=NO)) as server,
        leak_checked_client(server) as client,
        client.create_many(requests()) as run,
    ):
        kinds = [type(outcome) async for outcome in run]

    assert sorted(kind.__name__ for kind in kinds) == ["Created", "Created", "Failed"]
    assert set(kinds) == {Created, Failed}


async def test_counts_can_be_read_while_it_runs() -> None:
    late = asyncio.Event()

    async def last(peer: Peer, seen: Seen) -> None:
        await late.wait()
        await as_asked(peer, seen)

    async with (
        RawServer(post=[as_asked, NO, last]) as server,
        leak_checked_client(server, max_in_flight=1) as client,
        client.create_many(many(3)) as run,
    ):
        await anext(run)
        await anext(run)
        counts = run.counts
        late.set()
        assert isinstance(await anext(run), Created)

    assert (counts.posted, counts.failed, counts.created) == (1, {"BadRequestError": 1}, 1)
    assert (run.counts.created, run.duplicates, run.unchecked) == (2, (), 0)
