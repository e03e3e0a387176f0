"""What a creation does before its first POST, and what its result says of attempts in doubt."""

import asyncio

import pytest

from restream_async import (
    BadRequestError,
    NotSentError,
    Origin,
    OutcomeUnknownError,
    TransportError,
)
from restream_async._operations.create_options import (
    CHECK_FIRST,
    PLAIN,
    PLAIN_WITH_SLOT,
    CreateOptions,
)
from restream_async._operations.create_result import CreateFailed, CreateSucceeded, Doubt
from restream_async._operations.creation import release_slot
from restream_async._retry.deadline import Stop
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.status_setter import order


@pytest.mark.parametrize(
    ("posts", "gets", "doubt"),
    [
        ([Fate.TURNED_AWAY], [], None),
        ([Fate.LOST_AFTER], [], Doubt(absent_before=False, posts=1)),
        ([Fate.LOST_BEFORE], [], Doubt(absent_before=True, posts=1)),
        ([Fate.LOST_BEFORE, Fate.LOST_AFTER], [], Doubt(absent_before=True, posts=2)),
        ([Fate.LOST_BEFORE], [Fate.REFUSED], Doubt(absent_before=False, posts=1)),
    ],
    ids=["no doubt", "found", "absent", "absent, then found", "not checked"],
)
async def test_the_result_says_how_many_attempts_were_in_doubt_and_whether_a_check_found_nothing(
    posts: list[Fate], gets: list[Fate], doubt: Doubt | None
) -> None:
    backend = Backend()
    backend.meets("POST", *posts)
    backend.meets("GET", *gets)
    client = in_memory_client(backend)
    result = await client.creator.create(new(), client.executor.begin_call())

    assert isinstance(result, CreateSucceeded)
    assert result.doubt == doubt


@pytest.mark.parametrize(
    "options",
    [PLAIN_WITH_SLOT, CreateOptions(has_slot=True, check_first=True)],
    ids=["plain", "check first"],
)
async def test_one_with_a_slot_releases_it_and_is_no_duplicate(options: CreateOptions) -> None:
    client = in_memory_client(Backend(), limit=1)
    assert client.executor.limiter.try_acquire()
    result = await client.creator.create(new(), client.executor.begin_call(), options)

    assert isinstance(result, CreateSucceeded)
    assert result.maybe_duplicate is False
    assert client.executor.limiter.in_flight == 0


async def test_one_that_may_equal_others_begins_with_its_post() -> None:
    backend = Backend()
    backend.add(new())
    client = in_memory_client(backend)
    options = CreateOptions(allow_equal=True)
    result = await client.creator.create(new(), client.executor.begin_call(), options)

    assert order(backend) == "POST"
    assert result == CreateSucceeded(backend.stored[1], 1, Origin.POSTED)


async def test_equal_ones_that_the_client_created_are_not_taken_for_the_next_one() -> None:
    backend = Backend()
    client = in_memory_client(backend)
    options = CreateOptions(allow_equal=True)
    await client.creator.create(new(), client.executor.begin_call(), options)
    backend.meets("POST", Fate.LOST_BEFORE)
    result = await client.creator.create(new(), client.executor.begin_call(), options)

    assert isinstance(result, CreateSucceeded)
    assert result.restream == backend.stored[1]


@pytest.mark.parametrize("exists", [True, False])
async def test_one_that_an_earlier_run_left_in_doubt_begins_with_a_check(exists: bool) -> None:  # noqa: FBT001 - a parameter
    backend = Backend()
    if exists:
        backend.add(new())
    client = in_memory_client(backend)
    deadline = client.executor.begin_call()
    in_doubt: list[bool] = []
    backend.watch = lambda _: in_doubt.append(deadline.in_doubt)
    options = CreateOptions(in_doubt=True)
    result = await client.creator.create(new(), deadline, options)

    assert isinstance(result, CreateSucceeded)
    assert order(backend) == ("GET" if exists else "GET POST")
    assert result.origin is (Origin.CONFIRMED if exists else Origin.POSTED)
    assert result.doubt == Doubt(absent_before=not exists, posts=1)
    # A cancellation meanwhile leaves it in doubt.
    assert all(in_doubt)
    assert not deadline.in_doubt


async def test_without_a_check_one_that_an_earlier_run_left_in_doubt_stays_unknown() -> None:
    backend = Backend()
    backend.meets("GET", Fate.REFUSED)
    client = in_memory_client(backend, in_doubt="raise")
    options = CreateOptions(in_doubt=True)
    result = await client.creator.create(new(), client.executor.begin_call(), options)

    assert isinstance(result, CreateFailed)
    assert isinstance(result.error, OutcomeUnknownError)
    doubt = result.error.doubt
    assert isinstance(doubt, TransportError)
    assert (doubt.detail, doubt.sent) == ("an earlier run ended before its answer came", True)
    assert (result.attempts, order(backend)) == (0, "GET")


async def test_a_post_without_a_check_waits_for_its_turn() -> None:
    backend = Backend()
    client = in_memory_client(backend, limit=1)
    assert client.executor.limiter.try_acquire()
    async with asyncio.TaskGroup() as group:
        for wanted, options in ((new("a"), PLAIN), (new("b"), CreateOptions(allow_equal=True))):
            call = client.executor.begin_call()
            group.create_task(client.creator.create(wanted, call, options))
            await asyncio.sleep(0)
        client.executor.limiter.release()

    assert [restream.stream_key[-1] for restream in backend.stored] == ["a", "b"]


@pytest.mark.parametrize(
    ("posts", "expected"),
    [([Fate.LOST_BEFORE], NotSentError), ([Fate.LOST_BEFORE, Fate.REFUSED], BadRequestError)],
    ids=["in doubt", "refused"],
)
async def test_one_that_is_stopped_and_does_not_exist_was_not_sent_unless_it_was_refused(
    posts: list[Fate], expected: type[Exception]
) -> None:
    backend, stop = Backend(), Stop()
    backend.meets("POST", *posts)
    backend.watch = lambda _: stop.request() if backend.count("POST") == len(posts) else None
    client = in_memory_client(backend)
    result = await client.creator.create(new(), client.executor.begin_call(stop))

    assert isinstance(result, CreateFailed)
    assert type(result.error) is expected
    assert result.attempts == len(posts)
    assert order(backend).endswith("POST GET")


async def test_the_id_of_one_that_was_found_is_known_when_lists_hide_its_key() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_AFTER)
    client = in_memory_client(backend)
    found = await client.creator.create(new(), client.executor.begin_call())
    backend.show = lambda fields: {**fields, "streamKey": "***"}
    again = await client.creator.create(new(), client.executor.begin_call(), CHECK_FIRST)

    assert isinstance(found, CreateSucceeded)
    assert isinstance(again, CreateSucceeded)
    assert (again.origin, again.restream.id) == (Origin.EXISTING, found.restream.id)


def test_a_slot_that_is_not_needed_yet_is_offered_to_others() -> None:
    client = in_memory_client(Backend(), limit=1)
    limiter, offers = client.executor.limiter, list[bool]()
    assert limiter.try_acquire()
    limiter.slot_listeners.add(lambda: offers.append(limiter.has_slot))
    release_slot(client.executor)

    assert offers == [True]
