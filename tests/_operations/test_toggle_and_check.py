"""A status is set with as few toggles as it needs, and never left wrong without an error."""

import asyncio

import attrs
import pytest

from restream_async import (
    BadRequestError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    Restream,
    TransportError,
)
from restream_async._operations.listing import Listing
from restream_async._operations.toggle_and_check import StatusResult, VideoStatuses
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline, Stop
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.status_setter import error_of, one_active, order, setter_of, turn_off


@pytest.fixture
def backend() -> Backend:
    return one_active()


async def test_a_status_that_differs_is_toggled_once_and_checked(backend: Backend) -> None:
    result = await turn_off(backend)

    assert result.restreams[1] == backend.stored[0]
    assert not backend.stored[0].status
    assert result.listed == backend.stored
    assert order(backend) == "GET PUT GET"


async def test_nothing_is_toggled_if_the_status_is_the_wanted_one(backend: Backend) -> None:
    await turn_off(backend)
    backend.sent.clear()
    result = await turn_off(backend)

    assert result.restreams[1] == backend.stored[0]
    assert not backend.stored[0].status
    assert result.listed == backend.stored
    assert order(backend) == "GET"


async def test_a_list_that_the_caller_has_is_not_read_again(backend: Backend) -> None:
    result = await turn_off(backend, listed=tuple(backend.stored))

    assert result.restreams[1] == backend.stored[0]
    assert order(backend) == "PUT GET"


async def test_every_list_has_a_query_that_no_cache_knows(backend: Backend) -> None:
    await turn_off(backend)

    lists = {request.path for request in backend.sent if request.method == "GET"}
    assert len(lists) == 2


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (Fate.LOST_AFTER, "GET PUT GET"),
        (Fate.LOST_BEFORE, "GET PUT GET PUT GET"),
        (Fate.UNSENT, "GET PUT PUT GET"),
        (Fate.TURNED_AWAY, "GET PUT PUT GET"),
        # After the answer, and once more after the wait.
        (Fate.DONE_TWICE, "GET PUT GET GET PUT GET"),
    ],
)
async def test_it_is_toggled_again_only_if_a_list_shows_the_old_status(
    backend: Backend, fate: Fate, expected: str
) -> None:
    backend.meets("PUT", fate)
    result = await turn_off(backend)

    assert result.restreams[1] == backend.stored[0]
    assert not backend.stored[0].status
    assert order(backend) == expected


async def test_after_doubt_it_waits_before_it_checks(backend: Backend) -> None:
    backend.meets("PUT", Fate.LOST_AFTER)
    client = in_memory_client(backend)
    slept_before: list[int] = []
    backend.watch = lambda _: slept_before.append(len(client.slept))
    statuses = setter_of(client)
    await statuses.set("v1", {1: False}, client.executor.begin_call())

    assert slept_before == [0, 0, 1]


async def test_a_toggle_that_comes_late_after_a_second_one_is_undone(backend: Backend) -> None:
    backend.meets("PUT", Fate.LATE)
    result = await turn_off(backend)

    assert result.restreams[1] == backend.stored[0]
    assert not backend.stored[0].status
    # The second toggle worked, the first one undid it, and the third one set it.
    assert backend.count("PUT") == 3


async def test_a_toggle_is_sent_at_most_as_often_as_the_policy_allows(backend: Backend) -> None:
    backend.meets("PUT", *[Fate.LOST_BEFORE] * 9)
    result = await turn_off(backend, attempts=3)

    error = error_of(result)
    assert backend.count("PUT") == 3
    assert backend.stored[0].status
    assert str(error) == (
        "503 Service Unavailable: PUT /api/v1/p1/restreams/1/toggle, 3 attempts; a check found the "
        "restream still active"
    )
    assert order(backend).endswith("PUT GET"), "checked before it is called failed"


async def test_a_cache_that_repeats_every_toggle_is_an_error(backend: Backend) -> None:
    backend.meets("PUT", *[Fate.DONE_TWICE] * 9)
    result = await turn_off(backend, attempts=2)

    error = error_of(result)
    assert type(error) is MalformedResponseError
    assert error.problem == "the toggle was answered, but the restream is active"
    assert error.attempts == backend.count("PUT") == 2
    assert backend.stored[0].status


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.NOT_FOUND, Fate.NOT_ALLOWED])
async def test_a_refusal_is_final(backend: Backend, fate: Fate) -> None:
    backend.meets("PUT", fate)
    result = await turn_off(backend)

    assert not isinstance(error_of(result), OutcomeUnknownError)
    assert result.listed == backend.stored
    assert order(backend) == "GET PUT"


async def test_a_restream_that_is_not_in_the_list_is_not_toggled(backend: Backend) -> None:
    result = await turn_off(backend, 7)

    error = error_of(result, 7)
    assert type(error) is NotFoundError
    assert str(error) == (
        "404 Not Found (the list of the video has no restream '7'): "
        "GET /api/v1/p1/live-video/v1/restreams (video 'v1'), 1 attempt"
    )
    assert order(backend) == "GET"


async def test_a_restream_that_vanishes_meanwhile_is_reported(backend: Backend) -> None:
    backend.meets("PUT", Fate.LOST_BEFORE)

    def vanish(method: str) -> None:
        if method == "PUT":
            backend.stored.clear()

    backend.watch = vanish
    result = await turn_off(backend)

    assert type(error_of(result)) is NotFoundError
    assert result.listed == []
    assert backend.count("PUT") == 1


async def test_without_a_list_nothing_is_toggled(backend: Backend) -> None:
    backend.meets("GET", *[Fate.LOST_BEFORE] * 9)
    result = await turn_off(backend)

    assert result.restreams[1] == result.listed
    assert str(error_of(result)).startswith("503 Service Unavailable: GET ")
    assert backend.count("PUT") == 0


async def test_a_service_without_a_list_call_is_explained(backend: Backend) -> None:
    backend.meets("GET", Fate.NOT_ALLOWED)
    result = await turn_off(backend)

    assert str(error_of(result)).endswith(
        "; a status can be set only if the service can list the restreams of a video: toggle the "
        "restream instead"
    )


@pytest.mark.parametrize(
    ("fate", "doubt"), [(Fate.DONE, "GET"), (Fate.LOST_AFTER, "PUT"), (Fate.LOST_BEFORE, "PUT")]
)
async def test_a_failing_list_after_a_toggle_leaves_the_status_unknown(
    backend: Backend, fate: Fate, doubt: str
) -> None:
    backend.meets("GET", Fate.DONE, *[Fate.LOST_BEFORE] * 9)
    backend.meets("PUT", fate)
    result = await turn_off(backend)

    error = error_of(result)
    assert type(error) is OutcomeUnknownError
    assert error.doubt.call.method == doubt
    assert error.note.startswith("listing the video afterwards failed too (503")
    assert isinstance(result.listed, Failure)
    assert backend.count("PUT") == 1


async def test_a_toggle_that_was_never_sent_keeps_its_own_error_if_others_are_unknown(
    backend: Backend,
) -> None:
    backend.add(new("b"))
    backend.meets("GET", Fate.DONE, *[Fate.LOST_BEFORE] * 9)
    backend.meets("PUT", Fate.DONE, Fate.UNSENT)
    result = await turn_off(backend, 1, 2)

    assert type(error_of(result, 1)) is OutcomeUnknownError
    assert type(error_of(result, 2)) is TransportError


async def test_restreams_of_one_video_share_their_lists(backend: Backend) -> None:
    backend.add(new("b"))
    backend.add(new("c"))
    backend.add(new("d"))
    result = await turn_off(backend, 1, 2, 3)

    assert [restream.status for restream in backend.stored] == [False, False, False, True]
    assert list(result.restreams.values()) == backend.stored[:3]
    assert order(backend) == "GET PUT PUT PUT GET"


async def test_what_fails_does_not_hinder_the_others(backend: Backend) -> None:
    backend.add(new("b"))
    backend.add(new("c"))
    backend.meets("PUT", Fate.REFUSED, Fate.UNSENT, Fate.LOST_BEFORE)
    result = await turn_off(backend, 1, 2, 3, 9)

    assert [restream.status for restream in backend.stored] == [True, False, False]
    assert type(error_of(result, 1)) is BadRequestError
    assert type(error_of(result, 9)) is NotFoundError
    assert [result.restreams[2], result.restreams[3]] == backend.stored[1:]
    assert result.listed == backend.stored


async def test_each_restream_has_its_own_failure(backend: Backend) -> None:
    backend.add(new("b"))
    backend.meets("PUT", *[Fate.LOST_BEFORE] * 9)
    result = await turn_off(backend, 1, 2, attempts=2)

    for restream_id in (1, 2):
        assert str(error_of(result, restream_id)) == (
            f"503 Service Unavailable: PUT /api/v1/p1/restreams/{restream_id}/toggle, 2 attempts; "
            "a check found the restream still active"
        )
    assert order(backend) == "GET PUT PUT GET PUT PUT GET"


async def test_a_status_that_somebody_else_changes_meanwhile_is_set_again(
    backend: Backend,
) -> None:
    backend.add(new("b"))
    backend.meets("PUT", Fate.DONE, Fate.LOST_BEFORE)

    def interfere(method: str) -> None:
        if method == "PUT" and backend.count("PUT") == 3:
            backend.choose = lambda _: Fate.DONE
            backend._toggle(backend.sent[1])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    backend.watch = interfere
    result = await turn_off(backend, 1, 2)

    assert [restream.status for restream in backend.stored] == [False, False]
    assert list(result.restreams.values()) == backend.stored


@pytest.mark.parametrize("shown", [int, str])
@pytest.mark.parametrize("given_id", [1, "1"])
async def test_an_id_may_be_a_number_or_a_text(
    backend: Backend, shown: type[int] | type[str], given_id: int | str
) -> None:
    backend.show = lambda fields: {**fields, "id": shown(str(fields["id"]))}
    result = await turn_off(backend, given_id)

    restream = result.restreams[given_id]
    assert isinstance(restream, Restream)
    assert restream.id == shown(1)
    assert not backend.stored[0].status


async def test_an_id_that_cannot_stand_in_a_path_is_refused_before_anything_is_sent(
    backend: Backend,
) -> None:
    with pytest.raises(ValueError, match="restream_id must not be"):
        await turn_off(backend, 1, "..")
    assert order(backend) == ""


async def turn_off_stopped(backend: Backend) -> StatusResult:
    """Turn it off in a call that is stopped as its toggle arrives."""
    stop, client = Stop(), in_memory_client(backend)
    backend.watch = lambda method: stop.request() if method == "PUT" else None
    return await turn_off(backend, deadline=Deadline(client.executor.clock.now, 60.0, stop=stop))


async def test_a_stopped_call_checks_what_it_has_sent(backend: Backend) -> None:
    backend.meets("PUT", Fate.LOST_AFTER)
    result = await turn_off_stopped(backend)

    assert result.restreams[1] == backend.stored[0]
    assert order(backend) == "GET PUT GET"


async def test_a_stopped_call_does_not_toggle_again(backend: Backend) -> None:
    backend.meets("PUT", Fate.LOST_BEFORE)
    result = await turn_off_stopped(backend)

    assert str(error_of(result)).endswith("1 attempt; a check found the restream still active")
    assert order(backend) == "GET PUT GET"


async def test_a_stopped_call_whose_toggle_was_not_sent_says_so(backend: Backend) -> None:
    backend.meets("PUT", Fate.UNSENT)
    result = await turn_off_stopped(backend)

    assert type(error_of(result)) is NotSentError
    assert order(backend) == "GET PUT"


async def test_the_last_check_may_pass_the_deadline(backend: Backend) -> None:
    now = 0.0

    def pass_time(method: str) -> None:
        nonlocal now
        now += 60.0 if method == "PUT" else 0.0

    backend.watch = pass_time
    result = await turn_off(backend, deadline=Deadline(lambda: now, 60.0))

    assert result.restreams[1] == backend.stored[0]
    assert order(backend) == "GET PUT GET"


async def test_a_deadline_in_doubt_says_so_only_until_the_check(backend: Backend) -> None:
    client = in_memory_client(backend)
    deadline = client.executor.begin_call()
    seen: list[tuple[str, bool]] = []
    backend.watch = lambda method: seen.append((method, deadline.in_doubt))
    await setter_of(client).set("v1", {1: False}, deadline)

    # The second list is read while it is unknown what the toggle did.
    assert seen[-1] == ("GET", True)
    assert not deadline.in_doubt


async def test_it_says_so_while_one_is_toggled_again(backend: Backend) -> None:
    """The first toggle may take effect late."""
    backend.add(new("b"))
    client = in_memory_client(backend)
    deadline = client.executor.begin_call()
    seen: list[tuple[str, bool]] = []
    backend.watch = lambda method: seen.append((method, deadline.in_doubt))
    backend.meets("PUT", Fate.LOST_BEFORE)
    await setter_of(client).set("v1", {1: False, 2: False}, deadline)

    assert [method for method, _ in seen] == ["GET", "PUT", "PUT", "GET", "PUT", "GET"]
    assert seen[4] == ("PUT", True)
    assert not deadline.in_doubt


@pytest.mark.parametrize(
    "fates", [[Fate.UNSENT, Fate.LOST_BEFORE], [Fate.LOST_BEFORE, Fate.UNSENT]]
)
async def test_of_several_failures_one_in_doubt_decides_the_wait(
    backend: Backend, fates: list[Fate]
) -> None:
    backend.add(new("b"))
    backend.meets("PUT", *fates)
    client = in_memory_client(backend)
    statuses = VideoStatuses(
        client.executor,
        client.api,
        Listing(client.executor, client.api),
        "v1",
        {1: False, 2: False},
        client.executor.begin_call(),
    )
    statuses.compare(backend.stored)
    worst = await statuses.toggle()

    assert worst is not None
    assert worst.classification is Classification.IN_DOUBT


async def test_the_check_comes_a_second_after_a_toggle_that_was_sent_again(
    backend: Backend,
) -> None:
    """Also if another one was sent for the first time."""
    backend.add(new("b"))
    backend.meets("PUT", Fate.LOST_BEFORE, Fate.UNSENT)
    client = in_memory_client(backend)
    deadline = client.executor.begin_call()
    slept: list[float] = []
    backend.watch = lambda _: slept.append(sum(client.slept))
    await setter_of(client).set("v1", {1: False, 2: False}, deadline)

    assert order(backend) == "GET PUT PUT GET PUT PUT GET"
    assert slept[-1] - slept[-2] == pytest.approx(1.0)
    assert slept[-2] < 1.0


@pytest.mark.parametrize(
    ("gets", "seconds", "timeouts"),
    [
        ([Fate.DONE], 30.0, [0.5] * 3),
        ([Fate.DONE, Fate.LOST_BEFORE], 30.0, [0.5, 0.5, 0.5, 5.0]),
        ([Fate.DONE, Fate.LOST_BEFORE], 2.0, [0.5, 0.5, 0.5, 2.0]),
    ],
    ids=["in time", "beyond the deadline", "no longer than any attempt"],
)
async def test_the_last_check_takes_five_seconds_at_most_beyond_the_deadline(
    gets: list[Fate], seconds: float, timeouts: list[float]
) -> None:
    backend = Backend()
    backend.add(new())
    backend.meets("GET", *gets)
    client = in_memory_client(backend, attempts=1, timeout=seconds)
    deadline = Deadline(client.executor.clock.now, 0.5)
    result = await setter_of(client).set("v1", {1: False}, deadline)

    assert result.restreams[1] == backend.stored[0]
    assert backend.timeouts == pytest.approx(timeouts)


async def test_a_toggle_goes_ahead_of_all_that_wait_after_its_list(backend: Backend) -> None:
    client = in_memory_client(backend, limit=1)
    statuses, executor = setter_of(client), client.executor
    async with asyncio.TaskGroup() as group:
        group.create_task(statuses.set("v1", {1: False}, executor.begin_call()))
        for video in ("v2", "v3"):
            group.create_task(client.creator.create(new(video=video), executor.begin_call()))

    # The first that waits gets the slot of the list.
    assert order(backend) == "GET POST PUT POST GET"


class TestOneThatSomebodyElseChangesMeanwhile:
    """Its status was the wanted one, and it was never toggled."""

    @pytest.fixture
    def backend(self, backend: Backend) -> Backend:
        backend.add(new("b"))
        active = backend.stored[1]
        backend.stored[1] = attrs.evolve(active, status=False)

        def interfere(method: str) -> None:
            if method == "PUT" and backend.count("PUT") == 1:
                backend.stored[1] = active

        backend.watch = interfere
        backend.meets("PUT", Fate.LOST_BEFORE)
        return backend

    async def test_its_first_toggle_is_no_retry(self, backend: Backend) -> None:
        client = in_memory_client(backend)
        await setter_of(client).set("v1", {1: False, 2: False}, client.executor.begin_call())

        assert [restream.status for restream in backend.stored] == [False, False]
        assert (client.executor.counts.attempts, client.executor.counts.retries) == (6, 1)

    async def test_without_a_toggle_its_error_speaks_of_none(self, backend: Backend) -> None:
        result = await turn_off(backend, 1, 2, attempts=1)

        error = error_of(result, 2)
        assert isinstance(error, MalformedResponseError)
        assert error.problem == (
            "an earlier list showed the wanted status, but the restream is active"
        )
        assert backend.count("PUT") == 1
