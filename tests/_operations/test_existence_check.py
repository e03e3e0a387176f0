"""Checking before creating, where one video has many restreams: few lists, and nothing twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from restream_async import (
    AttemptTimeoutError,
    InternalServerError,
    NotFoundError,
    Origin,
    OutcomeUnknownError,
)
from restream_async._operations.create_options import CHECK_FIRST
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async._retry.deadline import Deadline
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.client_calls import created_by, failure_of
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer, then_close, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    SECRETS,
    answer,
    as_asked,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)
from tests.helpers.simulated_service import Service, simulated_client
from tests.helpers.simulated_time import now, simulated

if TYPE_CHECKING:
    from tests.helpers.fast_clock import FastClock


MANY = [new_restream("v1", stream_key=f"key-{number}") for number in range(50)]


async def test_checks_of_one_video_at_the_same_time_share_their_lists() -> None:
    # On a clock that stands still, no list is certain to be younger than a check.
    async with (
        Sandbox(latency=0.02) as sandbox,
        leak_checked_client(sandbox, clock=Clock()) as client,
    ):
        await asyncio.gather(*map(client.ensure, MANY))

    assert len(sandbox.stored) == len(MANY)
    assert sandbox.counts.lists == 2, "one for the first, and one for all others"


async def test_one_after_the_other_each_gets_a_fresh_list() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        for new in MANY[:5]:
            await client.ensure(new)

    assert sandbox.counts.lists == 5


async def test_where_a_recent_list_is_good_enough_one_serves_many_creations() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        # The second time each is checked anew, because this client has created it.
        for new in [*MANY[:20], *MANY[:3]]:
            await client.outcome(new, ensure=True, recent=True)

    assert len(sandbox.stored) == 20
    assert sandbox.counts.lists <= 5


async def test_a_recent_list_is_not_used_for_what_is_in_doubt_since() -> None:
    """An attempt whose outcome nobody knows must be checked, however recent the list."""
    async with (
        RawServer(post=[then_hang(), as_asked], get=listed()) as server,
        leak_checked_client(server) as client,
    ):
        first = asyncio.create_task(client.outcome(MANY[0], ensure=True, recent=True))
        await server.arrived(2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await client.outcome(MANY[1], ensure=True, recent=True)
        await client.outcome(MANY[0], ensure=True, recent=True)

    assert server.order == "GET POST POST GET POST"


@simulated
async def test_a_check_that_waits_for_a_list_ends_with_its_own_deadline() -> None:
    service = Service(hanging=True)
    async with simulated_client(service, timeout=60) as client:
        first, second = (
            asyncio.create_task(client.creator.create(new, Deadline(now, seconds), CHECK_FIRST))
            for new, seconds in zip(MANY, (30.0, 0.3), strict=False)
        )
        result = await second
        assert now() == pytest.approx(0.3)
        first.cancel()
        await asyncio.wait([first])

    assert [method for _, method in service.sent] == ["GET"]
    assert isinstance(result, CreateFailed)
    assert type(result.error) is AttemptTimeoutError
    assert "another list of the video was in progress" in str(result.error)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Built"])
async def test_that_a_service_has_nothing_to_list_is_shared_too(status: str) -> None:
    async with (
        RawServer(post=as_asked, get=answer(b"", status)) as server,
        leak_checked_client(server) as client,
    ):
        for new in MANY[:3]:
            await client.outcome(new, ensure=True, recent=True)

    assert server.order == "GET POST POST POST"


NEW = new_restream()


THERE = listed(on_the_wire(NEW, 9))


_OTHERS = [
    on_the_wire(new_restream("v2"), 1),
    on_the_wire(new_restream(stream_key="another-key"), 2),
    on_the_wire(new_restream(stream_url="rtmps://elsewhere.example.com/app"), 3),
]


ABSENT = listed(*_OTHERS)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Built"])
async def test_a_service_that_cannot_list_has_nothing_there(status: str) -> None:
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=answer(b"", status)) as server,
        leak_checked_client(server) as client,
    ):
        restream = await client.create(NEW)

    assert restream.id == 7
    assert server.order == "POST GET POST"


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Built"])
async def test_a_last_check_at_a_service_that_cannot_list_leaves_the_failure_as_it_is(
    status: str,
) -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=answer(b"", status)) as server,
        leak_checked_client(server, attempts=1) as client,
    ):
        error = await failure_of(client.create(NEW), InternalServerError)

    assert error.attempts == 1


@pytest.mark.parametrize(
    "result", [on_the_wire(NEW, 9), [on_the_wire(NEW, 9)]], ids=["an object", "a list"]
)
async def test_a_check_understands_every_form_of_a_list(result: object) -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=answer(envelope(result))) as server,
        leak_checked_client(server) as client,
    ):
        restream = await client.create(NEW)

    assert restream.id == 9


async def test_a_check_that_finds_null_finds_nothing() -> None:
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=answer(envelope(None))) as server,
        leak_checked_client(server) as client,
    ):
        restream = await client.create(NEW)

    assert restream.id == 7


@pytest.mark.parametrize(
    ("attempts", "order"),
    [(5, "P GGGGG P G P G P G P G"), (3, "P GGG P G P G"), (1, "P G")],
)
async def test_failing_checks_are_repeated_only_so_often_over_all_attempts(
    attempts: int, order: str
) -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=INTERNAL_ERROR) as server,
        leak_checked_client(server, attempts=attempts) as client,
    ):
        await failure_of(client.create(NEW), OutcomeUnknownError)

    assert [request.method[0] for request in server.requests] == list(order.replace(" ", ""))
    assert server.counts["GET"] == 2 * attempts - 1


async def test_checks_that_succeed_use_up_nothing() -> None:
    """Two checks fail once each, two find nothing: no list retry is missing."""
    failing_once = [INTERNAL_ERROR, ABSENT]
    async with (
        RawServer(
            post=[INTERNAL_ERROR, INTERNAL_ERROR, created()], get=[*failing_once, *failing_once]
        ) as server,
        leak_checked_client(server, attempts=3) as client,
    ):
        outcome = await created_by(client, NEW)

    assert server.order.startswith("POST GET GET POST GET GET POST")
    assert outcome.maybe_duplicate is False


@pytest.mark.parametrize(
    ("remaining", "seconds", "longest"),
    [(0.5, 30.0, 5.0), (0.5, 2.0, 2.0), (8.0, 30.0, 8.0)],
    ids=["beyond the deadline", "no longer than any attempt", "before the deadline"],
)
async def test_the_final_check_takes_five_seconds_at_most_beyond_the_deadline(
    remaining: float, seconds: float, longest: float
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_AFTER)
    client = in_memory_client(backend, attempts=1, timeout=seconds)
    deadline = Deadline(client.executor.clock.now, remaining)
    result = await client.creator.create(MANY[0], deadline)

    assert isinstance(result, CreateSucceeded)
    assert backend.timeouts == pytest.approx([min(remaining, seconds), longest])


async def test_checks_end_with_the_deadline(clock: FastClock) -> None:
    """However many repetitions are left."""
    async with (
        RawServer(post=INTERNAL_ERROR, get=INTERNAL_ERROR) as server,
        leak_checked_client(server, clock=clock, deadline=1.2) as client,
    ):
        await failure_of(client.create(NEW), OutcomeUnknownError)

    assert server.order == "POST GET GET POST GET"
    assert sum(clock.sleeps) <= 1.2


async def test_a_check_that_fails_is_tried_again_by_itself() -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=[INTERNAL_ERROR, then_close(), THERE]) as server,
        leak_checked_client(server) as client,
    ):
        outcome = await created_by(client, NEW)

    assert server.counts["POST"] == 1
    assert (outcome.origin, outcome.restream.id) == (Origin.CONFIRMED, 9)


async def test_a_failed_check_shows_no_secret_of_the_restream() -> None:
    """A service may answer a check with the keys that it is about."""
    echo = answer(" ".join(SECRETS).encode(), "500 Oops")
    async with (
        RawServer(post=echo, get=echo) as server,
        leak_checked_client(server, in_doubt="raise") as client,
    ):
        error = await failure_of(client.create(NEW), OutcomeUnknownError)

    shown = f"{error} {error!r} {error.doubt} {vars(error)}"
    assert not [secret for secret in SECRETS if secret in shown]


async def test_a_refused_check_in_a_project_that_is_gone_says_so() -> None:
    gone = answer(b"", "404 Not Found")
    async with (
        RawServer(post=[then_close(), gone], get=gone) as server,
        leak_checked_client(server) as client,
    ):
        error = await failure_of(client.create(NEW), NotFoundError)

    assert (server.order, error.attempts) == ("POST GET POST GET", 2)


async def test_a_check_that_is_inconclusive_was_one_attempt() -> None:
    backend = Backend()
    backend.show = lambda fields: {**fields, "streamKey": "***"}
    backend.meets("POST", Fate.LOST_AFTER)
    client = in_memory_client(backend, in_doubt="raise")
    result = await client.creator.create(MANY[0], client.executor.begin_call())

    assert isinstance(result, CreateFailed)
    assert isinstance(result.error, OutcomeUnknownError)
    assert "restream 1 may be the wanted one" in result.error.note
    assert "(video 'v1'), 1 attempt); list the restreams" in result.error.note


async def test_checks_of_a_patient_call_that_a_rate_limit_turns_away_use_up_nothing() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_AFTER)
    backend.meets("GET", *[Fate.TURNED_AWAY] * 4)
    client = in_memory_client(backend, attempts=2)
    result = await client.creator.create(MANY[0], client.executor.begin_patient_call())

    assert isinstance(result, CreateSucceeded)
    assert (result.origin, backend.count("POST")) == (Origin.CONFIRMED, 1)
