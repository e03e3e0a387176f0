"""A status is set with as few toggles as it needs, and never left wrong without an error."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import (
    BadRequestError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    Restream,
    TransportError,
)
from restream_async._operations.listing import Listing
from restream_async._operations.set_status import StatusSetter
from restream_async._operations.video_statuses import StatusResult
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline, Stop
from restream_async.errors import AttemptTimeoutError, NotSentError, RestreamError
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.in_memory_service import Backend, Client, Fate, client_of, new
from tests.helpers.leak_checks import client_of as http_client_of
from tests.helpers.samples import new_restream
from tests.helpers.strategies import quick


def setter_of(client: Client) -> StatusSetter:
    return StatusSetter(
        client.executor, client.api, Listing(client.executor, client.api, uncached=True)
    )


async def turn_off(
    backend: Backend,
    *ids: int | str,
    attempts: int = 3,
    listed: Sequence[Restream] | None = None,
    deadline: Deadline | None = None,
) -> StatusResult:
    """Turn restreams of the video off; by default the first."""
    client = client_of(backend, attempts=attempts)
    statuses = setter_of(client)
    wanted: Mapping[int | str, bool] = dict.fromkeys(ids or (1,), False)
    deadline = deadline or client.executor.begin_call()
    async with statuses.turn("v1"):
        return await statuses.set("v1", wanted, deadline, listed=listed)


def error_of(result: StatusResult, restream_id: int | str = 1) -> RestreamError:
    failure = result.restreams[restream_id]
    assert isinstance(failure, Failure)
    return failure.error


def order(backend: Backend) -> str:
    return " ".join(request.method for request in backend.sent)


@pytest.fixture
def backend() -> Backend:
    """Return a service with one restream of video v1, which is on."""
    backend = Backend()
    backend.add(new())
    return backend


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
    client = client_of(backend)
    slept_before: list[int] = []
    backend.watch = lambda method: slept_before.append(len(client.slept))
    statuses = setter_of(client)
    await statuses.set("v1", {1: False}, client.executor.begin_call())

    # Each request is watched twice.
    assert slept_before == [0, 0, 0, 0, 1, 1]


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


async def test_a_status_that_somebody_else_changes_meanwhile_is_set_again(
    backend: Backend,
) -> None:
    backend.add(new("b"))
    backend.meets("PUT", Fate.DONE, Fate.LOST_BEFORE)
    puts = 0

    def interfere(method: str) -> None:
        nonlocal puts
        puts += method == "PUT"
        if puts == 5:  # Each request is watched twice: it is the third toggle.
            backend.choose = lambda _: Fate.DONE
            backend._toggle(backend.sent[1])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            puts += 1

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


async def test_a_stopped_call_checks_what_it_has_sent(backend: Backend) -> None:
    stop = Stop()
    backend.watch = lambda method: stop.request() if method == "PUT" else None
    backend.meets("PUT", Fate.LOST_AFTER)
    client = client_of(backend)
    result = await turn_off(backend, deadline=Deadline(client.executor.clock.now, 60.0, stop=stop))

    assert result.restreams[1] == backend.stored[0]
    assert order(backend) == "GET PUT GET"


async def test_a_stopped_call_does_not_toggle_again(backend: Backend) -> None:
    stop = Stop()
    backend.watch = lambda method: stop.request() if method == "PUT" else None
    backend.meets("PUT", Fate.LOST_BEFORE)
    client = client_of(backend)
    result = await turn_off(backend, deadline=Deadline(client.executor.clock.now, 60.0, stop=stop))

    assert str(error_of(result)).endswith("1 attempt; a check found the restream still active")
    assert order(backend) == "GET PUT GET"


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
    client = client_of(backend)
    deadline = client.executor.begin_call()
    seen: list[tuple[str, bool]] = []
    backend.watch = lambda method: seen.append((method, deadline.in_doubt))
    await setter_of(client).set("v1", {1: False}, deadline)

    # The second list is read while it is unknown what the toggle did.
    assert seen[-1] == ("GET", True)
    assert not deadline.in_doubt


async def test_two_at_the_same_time_toggle_once(backend: Backend) -> None:
    client = client_of(backend)
    statuses = setter_of(client)
    results = await asyncio.gather(
        *(
            statuses.set_one("v1", 1, client.executor.begin_call(), on=False)
            for _ in range(3)
        )
    )

    assert results == [backend.stored[0]] * 3
    assert not backend.stored[0].status
    assert backend.count("PUT") == 1
    assert statuses._turns == {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def test_other_videos_do_not_wait(backend: Backend) -> None:
    statuses = setter_of(client_of(backend))
    async with asyncio.timeout(5), statuses.turn("v1"), statuses.turn("v2"):
        pass


async def test_a_call_that_gets_no_turn_before_its_deadline_sends_nothing(
    backend: Backend,
) -> None:
    client = client_of(backend)
    statuses = setter_of(client)
    async with statuses.turn("v1"):
        late = await statuses.set_one("v1", 1, Deadline(lambda: 0.0, 0.001), on=False)

    assert isinstance(late, Failure)
    assert type(late.error) is AttemptTimeoutError
    assert "another status of the video was being set until the deadline" in str(late.error)
    assert order(backend) == ""
    assert statuses._turns == {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def test_a_stop_ends_the_wait_for_a_turn_also_of_a_patient_call(backend: Backend) -> None:
    client = client_of(backend)
    statuses = setter_of(client)
    stop = Stop()
    asyncio.get_running_loop().call_soon(stop.request)
    async with statuses.turn("v1"):
        deadline = client.executor.begin_patient_call(stop)
        late = await statuses.set_one("v1", 1, deadline, on=False)

    assert isinstance(late, Failure)
    assert type(late.error) is NotSentError


FATES = st.sampled_from([fate for fate in Fate if fate is not Fate.LATE])


@quick
@given(puts=st.lists(FATES, max_size=12), gets=st.lists(FATES, max_size=12), on=st.booleans())
def test_whatever_fails_the_status_is_the_wanted_one_or_the_old_one_or_unknown(
    puts: list[Fate], gets: list[Fate], on: bool
) -> None:
    async def scene() -> None:
        backend = Backend()
        backend.add(new())
        backend.add(new("b"))
        backend.meets("PUT", *puts)
        backend.meets("GET", *gets)
        client = client_of(backend)
        result = await setter_of(client).set(
            "v1", {1: on, 2: not on}, client.executor.begin_call()
        )
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


@pytest.mark.parametrize("seed", range(3))
async def test_under_faults_over_http_every_status_is_set(seed: int) -> None:
    kinds = (Fault.INTERNAL_ERROR, Fault.RESET, Fault.GARBAGE, Fault.TRUNCATED)
    faults = Faults(
        other=dict.fromkeys(kinds, 0.2), listing=dict.fromkeys(kinds, 0.05), max_faults=3
    )
    async with (
        Sandbox(faults=faults, seed=seed, ids="str") as sandbox,
        http_client_of(sandbox, attempts=8) as client,
    ):
        restreams = [
            await client.create(new_restream(f"v{number % 4}", title=f"T{number}"))
            for number in range(12)
        ]
        wanted = [number % 3 == 0 for number in range(12)]
        after = await asyncio.gather(*map(client.set_status, restreams, wanted))
        stored = [restream.status for restream in sandbox.stored]

    assert stored == wanted
    assert [restream.status for restream in after] == wanted
