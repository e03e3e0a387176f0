"""Creations: attempts in doubt are checked before they are repeated, so nothing exists twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from restream_async import (
    AttemptTimeoutError,
    BackendFetchFailedError,
    BadRequestError,
    InternalServerError,
    MalformedResponseError,
    Origin,
    OutcomeUnknownError,
    RetryPolicy,
    TransportError,
    UnauthorizedError,
)
from restream_async._retry.budget import RetryBudget
from restream_async._util.clock import Clock
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.client_calls import created_by, failure_of
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer, then_close, then_hang
from tests.helpers.samples import (
    BACKEND_FETCH_FAILED,
    INTERNAL_ERROR,
    STREAM_URL,
    answer,
    as_asked,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from restream_async import NewRestream
    from tests.helpers.fast_clock import FastClock

NEW = new_restream()
THERE = listed(on_the_wire(NEW, 9))
_OTHERS = [
    on_the_wire(new_restream("v2"), 1),
    on_the_wire(new_restream(stream_key="another-key"), 2),
    on_the_wire(new_restream(stream_url="rtmps://elsewhere.example.com/app"), 3),
]
ABSENT = listed(*_OTHERS)


async def test_what_is_found_after_doubt_is_adopted() -> None:
    found = listed(*_OTHERS, on_the_wire(NEW, 9))
    async with (
        RawServer(post=INTERNAL_ERROR, get=found) as server,
        leak_checked_client(server) as client,
    ):
        outcome = await created_by(client, NEW)

    assert server.counts["POST"] == 1
    assert (outcome.restream.id, outcome.origin) == (9, Origin.CONFIRMED)
    assert (outcome.attempts, outcome.maybe_duplicate) == (1, False)


async def test_what_is_not_found_after_doubt_is_sent_again() -> None:
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=ABSENT) as server,
        leak_checked_client(server) as client,
    ):
        outcome = await created_by(client, NEW)

    assert server.order.startswith("POST GET POST")
    assert server.counts["POST"] == 2
    assert (outcome.restream.id, outcome.origin) == (7, Origin.POSTED)
    assert (outcome.attempts, outcome.maybe_duplicate) == (2, False)


async def test_the_title_and_status_may_have_been_changed_meanwhile() -> None:
    changed = listed({**on_the_wire(NEW, 9), "title": "Renamed", "status": False})
    async with (
        RawServer(post=INTERNAL_ERROR, get=changed) as server,
        leak_checked_client(server) as client,
    ):
        restream = await client.create(NEW)

    assert (restream.id, restream.title, restream.status) == (9, "Renamed", False)


async def test_the_check_comes_after_the_wait_not_before_it(clock: FastClock) -> None:
    looks_at_each_sleep: list[int] = []

    async def count() -> None:
        looks_at_each_sleep.append(server.counts.get("GET", 0))

    clock.meanwhile = count
    async with (
        RawServer(post=[INTERNAL_ERROR, INTERNAL_ERROR, created()], get=ABSENT) as server,
        leak_checked_client(server, clock=clock) as client,
    ):
        await client.create(NEW)

    assert looks_at_each_sleep == [0, 1]
    assert server.order == "POST GET POST GET POST"


class TestAnAnswerAboutSomethingElse:
    """A success whose result is not what was asked for is in doubt, and a check settles it."""

    async def test_another_title_is_still_the_restream(self) -> None:
        renamed = created(new_restream(title="YOUTUBE"), 8)
        async with RawServer(post=renamed) as server, leak_checked_client(server) as client:
            restream = await client.create(NEW)

        assert (restream.id, server.order) == (8, "POST")

    @pytest.mark.parametrize(
        "written",
        [
            {"stream_key": "abc***"},
            {"stream_key": "another-key"},
            {"stream_url": "rtmps://elsewhere.example.com/app"},
            {"video_id": "v2"},
        ],
        ids=lambda written: next(iter(written)),
    )
    async def test_is_not_taken_as_created(self, written: dict[str, str]) -> None:
        answers = [created(new_restream(**written), 8), created()]
        async with (
            RawServer(post=answers, get=ABSENT) as server,
            leak_checked_client(server) as client,
        ):
            restream = await client.create(NEW)

        assert (restream.id, server.order) == (7, "POST GET POST")

    @pytest.mark.parametrize(
        "written",
        [
            {"streamKey": f"***{NEW.stream_key[-4:]}"},
            {"streamKey": None},
            {"streamUrl": STREAM_URL.replace("live.example.com", "LIVE.example.com:443")},
        ],
        ids=["a masked key", "no key", "a tidied URL"],
    )
    async def test_what_the_service_shows_its_own_way_is_checked_once(
        self, written: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = (
            {**on_the_wire(new_restream(video), number), **written}
            for video, number in (("v1", 8), ("v9", 9))
        )
        post = [answer(envelope(first)), answer(envelope(second))]
        async with (
            RawServer(post=post, get=[listed(first), listed()]) as server,
            leak_checked_client(server) as client,
        ):
            outcome = await created_by(client, NEW)
            await client.create(new_restream("v9"))
            forms = client.stats().forms

        assert (outcome.restream.id, outcome.origin) == (8, Origin.CONFIRMED)
        assert server.counts["POST"] == 2
        assert forms == tuple(written)
        assert [record.args for record in caplog.records] == [forms]

    async def test_and_a_list_that_cannot_be_read_end_as_unknown(self) -> None:
        post = created(new_restream("v2"), 8)
        async with (
            RawServer(post=post, get=INTERNAL_ERROR) as server,
            leak_checked_client(server, attempts=3) as client,
        ):
            await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.counts["POST"] == 1


class TestAnAnswerThatCannotBeRead:
    """It is no sign that nothing happened, so nothing is sent again without a check."""

    @pytest.mark.parametrize(
        "status", ["404 Not Found", "405 Method Not Allowed", "501 Not Built", "500 Error"]
    )
    async def test_is_never_followed_by_a_blind_resend(self, status: str) -> None:
        async with (
            RawServer(post=answer(b"{"), get=answer(b"", status)) as server,
            leak_checked_client(server, attempts=4) as client,
        ):
            error = await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.counts["POST"] == 1
        assert isinstance(error.doubt, MalformedResponseError)

    async def test_as_a_list_makes_the_check_fail_and_nothing_is_sent_again(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=answer(b"{")) as server,
            leak_checked_client(server, attempts=4) as client,
        ):
            await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.counts["POST"] == 1

    async def test_is_the_error_where_a_check_finds_nothing_in_the_end(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=[answer(b"{"), answer(b"{"), ABSENT]) as server,
            leak_checked_client(server, attempts=2) as client,
        ):
            await failure_of(client.create(NEW), InternalServerError)

        assert server.counts["POST"] == 1


class TestConfirm:
    async def test_a_check_that_fails_for_good_leads_to_a_resend_that_says_so(self) -> None:
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=INTERNAL_ERROR) as server,
            leak_checked_client(server, attempts=3) as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST GET GET GET POST")
        assert (outcome.origin, outcome.attempts) == (Origin.POSTED, 2)
        assert outcome.maybe_duplicate is True

    async def test_a_refused_check_is_final(self) -> None:
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=answer(b"", "403 No")) as server,
            leak_checked_client(server) as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST GET POST")
        assert outcome.maybe_duplicate is True

    async def test_a_resend_that_was_never_sent_is_no_duplicate(self, clock: FastClock) -> None:
        """The check fails, the resend gets a 429, and the final check finds the restream."""
        async with (
            RawServer(
                post=[INTERNAL_ERROR, answer(b"", "429 Too Many Requests")],
                get=[answer(b"", "403 No"), THERE],
            ) as server,
            leak_checked_client(server, clock=clock, attempts=2) as client,
        ):
            outcome = await created_by(client, NEW)

        assert (outcome.origin, outcome.maybe_duplicate) == (Origin.CONFIRMED, False)

    async def test_a_doubt_stays_when_later_attempts_do_nothing(self) -> None:
        """In doubt, absent, then a 429: the final check comes before the failure."""
        turned_away = answer(b"", "429 Too Many Requests")
        async with (
            RawServer(post=[INTERNAL_ERROR, turned_away], get=[ABSENT, THERE]) as server,
            leak_checked_client(server, attempts=2) as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST GET POST GET")
        assert (outcome.origin, outcome.attempts) == (Origin.CONFIRMED, 2)

    async def test_the_last_attempt_in_doubt_is_checked_before_it_is_called_failed(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=THERE) as server,
            leak_checked_client(server, attempts=1) as client,
        ):
            outcome = await created_by(client, NEW)

        assert (outcome.origin, outcome.attempts) == (Origin.CONFIRMED, 1)

    async def test_the_last_check_failing_leaves_the_outcome_unknown(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=BACKEND_FETCH_FAILED) as server,
            leak_checked_client(server, attempts=1) as client,
        ):
            error = await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.order == "POST GET"
        assert type(error.doubt) is InternalServerError
        assert (error.attempts, error.doubt.attempts) == (1, 1)
        assert str(error).startswith(
            "it is unknown whether it took effect, after: 500 Internal Server Error (oops): "
            "POST /api/v1/p1/restreams (video 'v1'), 1 attempt; "
            "checking whether it exists failed too (503 "
        )
        assert "video 'v1'), 1 attempt); list the restreams of the video before" in str(error)

    async def test_a_refusal_after_doubt_is_checked(self) -> None:
        """The service may refuse the second one because the first is there."""
        async with (
            RawServer(
                post=[then_close(), answer(b"exists", "400 Bad Request")], get=[ABSENT, THERE]
            ) as server,
            leak_checked_client(server) as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST GET POST GET")
        assert (outcome.origin, outcome.attempts) == (Origin.CONFIRMED, 2)

    async def test_a_refusal_after_doubt_of_what_is_absent_is_the_refusal(self) -> None:
        async with (
            RawServer(post=[then_close(), answer(b"no", "400 Bad Request")], get=ABSENT) as server,
            leak_checked_client(server) as client,
        ):
            error = await failure_of(client.create(NEW), BadRequestError)

        assert error.attempts == 2
        assert server.order == "POST GET POST GET"

    async def test_a_refusal_without_doubt_is_not_checked(self) -> None:
        async with (
            RawServer(post=[answer(b"", "429 Later"), answer(b"", "400 Bad Request")]) as server,
            leak_checked_client(server) as client,
        ):
            error = await failure_of(client.create(NEW), BadRequestError)

        assert (server.order, error.attempts) == ("POST POST", 2)

    async def test_at_the_deadline_it_is_checked_even_beyond_it(self) -> None:
        async with (
            RawServer(post=then_hang(), get=THERE) as server,
            leak_checked_client(server, clock=Clock(), retry=RetryPolicy(deadline=0.05)) as client,
        ):
            restream = await client.create(NEW)

        assert (server.order, restream.id) == ("POST GET", 9)

    async def test_at_the_deadline_what_is_absent_timed_out(self) -> None:
        async with (
            RawServer(post=then_hang(), get=ABSENT) as server,
            leak_checked_client(server, clock=Clock(), retry=RetryPolicy(deadline=0.05)) as client,
        ):
            error = await failure_of(client.create(NEW), AttemptTimeoutError)

        assert (server.order, error.sent, error.attempts) == ("POST GET", True, 1)

    async def test_the_check_beyond_the_deadline_has_an_end(self) -> None:
        async with (
            RawServer(post=then_hang(), get=then_hang()) as server,
            leak_checked_client(
                server, clock=Clock(), timeout=0.05, retry=RetryPolicy(deadline=0.05)
            ) as client,
        ):
            error = await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.order == "POST GET"
        assert type(error.doubt) is AttemptTimeoutError


class TestRaise:
    async def test_a_check_that_fails_for_good_leaves_the_outcome_unknown(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=answer(b"", "403 No")) as server,
            leak_checked_client(server, in_doubt="raise") as client,
        ):
            error = await failure_of(client.create(NEW), OutcomeUnknownError)

        assert server.order == "POST GET"
        assert (error.call.method, error.call.video_id, error.attempts) == ("POST", "v1", 1)
        assert type(error.doubt) is InternalServerError
        assert "it is unknown whether it took effect" in str(error)
        assert "list the restreams of the video before creating it again" in str(error)

    async def test_a_check_that_succeeds_goes_on_as_ever(self) -> None:
        async with (
            RawServer(
                post=[INTERNAL_ERROR, then_close(), created()], get=[ABSENT, THERE]
            ) as server,
            leak_checked_client(server, in_doubt="raise") as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST GET POST GET")
        assert outcome.origin is Origin.CONFIRMED

    async def test_a_last_attempt_in_doubt_is_checked_too(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR, get=ABSENT) as server,
            leak_checked_client(server, in_doubt="raise", attempts=1) as client,
        ):
            await failure_of(client.create(NEW), InternalServerError)

        assert server.order == "POST GET"


class TestResend:
    async def test_it_never_checks_and_says_so(self) -> None:
        async with (
            RawServer(post=[INTERNAL_ERROR, then_close(), created()]) as server,
            leak_checked_client(server, in_doubt="resend") as client,
        ):
            restream = await client.create(NEW)

        assert restream.id == 7
        assert server.order == "POST POST POST"

    async def test_the_outcome_may_be_a_duplicate(self) -> None:
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=THERE) as server,
            leak_checked_client(server, in_doubt="resend") as client,
        ):
            outcome = await created_by(client, NEW)

        assert server.order.startswith("POST POST")
        assert outcome.maybe_duplicate is True

    async def test_a_last_attempt_in_doubt_is_reported_as_it_is(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR) as server,
            leak_checked_client(server, in_doubt="resend", attempts=2) as client,
        ):
            error = await failure_of(client.create(NEW), InternalServerError)

        assert (server.order, error.attempts) == ("POST POST", 2)

    async def test_what_did_nothing_is_no_duplicate(self) -> None:
        async with (
            RawServer(post=[answer(b"", "429 Later"), created()]) as server,
            leak_checked_client(server, in_doubt="resend") as client,
        ):
            outcome = await created_by(client, NEW)

        assert (outcome.maybe_duplicate, outcome.attempts) == (False, 2)


class TestEnsure:
    async def test_what_is_there_is_returned_without_a_post(self) -> None:
        async with RawServer(get=THERE) as server, leak_checked_client(server) as client:
            restream = await client.ensure(NEW)

        assert (restream.id, server.order) == (9, "GET")

    async def test_what_is_absent_is_created(self) -> None:
        async with (
            RawServer(get=ABSENT, post=created()) as server,
            leak_checked_client(server) as client,
        ):
            restream = await client.ensure(NEW)

        assert (restream.id, server.order) == (7, "GET POST")

    async def test_an_unknown_video_has_nothing(self) -> None:
        nothing = answer(b"", "404 Not Found")
        async with (
            RawServer(get=nothing, post=created()) as server,
            leak_checked_client(server) as client,
        ):
            await client.ensure(NEW)

        assert server.order == "GET POST"

    async def test_a_check_that_fails_is_raised_and_nothing_is_sent(self) -> None:
        async with (
            RawServer(get=BACKEND_FETCH_FAILED) as server,
            leak_checked_client(server, attempts=3) as client,
        ):
            error = await failure_of(client.ensure(NEW), BackendFetchFailedError)

        assert server.order == "GET GET GET"
        assert error.attempts == 3
        assert "GET /api/v1/p1/live-video/v1/restreams (video 'v1'), 3 attempts" in str(error)

    async def test_a_refused_check_is_raised_at_once(self) -> None:
        async with (
            RawServer(get=answer(b"", "401 Unauthorized")) as server,
            leak_checked_client(server) as client,
        ):
            error = await failure_of(client.ensure(NEW), UnauthorizedError)

        assert (server.order, error.attempts) == ("GET", 1)

    async def test_doubt_after_the_check_is_confirmed(self) -> None:
        async with (
            RawServer(get=[ABSENT, THERE], post=INTERNAL_ERROR) as server,
            leak_checked_client(server) as client,
        ):
            restream = await client.ensure(NEW)

        assert (restream.id, server.order) == (9, "GET POST GET")

    async def test_doing_it_twice_creates_it_once(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            first = await client.ensure(NEW)
            second = await client.ensure(NEW)

        assert first == second
        assert len(sandbox.stored) == 1


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("phase", ["before", "after"])
async def test_it_exists_once_after_any_fault_at_any_moment(fault: Fault, phase: str) -> None:
    faults = Faults(**{phase: {fault: 1.0}}, max_faults=2, retry_after=None)  # type: ignore[arg-type]
    timeout = 0.1 if fault is Fault.HANG else 5.0
    async with (
        Sandbox(faults=faults) as sandbox,
        leak_checked_client(sandbox, timeout=timeout) as client,
    ):
        restream = await client.create(NEW)

    [stored] = sandbox.stored
    assert (stored.id, stored.stream_url) == (restream.id, STREAM_URL)
    assert sandbox.counts.posts == (3 if phase == "before" else 1)


async def test_nothing_listens_any_more_after_a_doubt() -> None:
    """The service dies with the answer: the outcome is unknown."""

    async with (
        RawServer(post=then_close(), get=then_close()) as server,
        leak_checked_client(server, attempts=2) as client,
    ):
        error = await failure_of(client.create(NEW), OutcomeUnknownError)

    assert type(error.doubt) is TransportError


async def test_the_resend_goes_ahead_of_all_that_wait_after_its_check() -> None:
    first, *others = (new_restream(f"v{number}") for number in range(41))

    async def create_all(some: list[NewRestream]) -> None:
        for new in some:
            await client.create(new)

    async with (
        RawServer(post=[INTERNAL_ERROR, as_asked], get=listed()) as server,
        leak_checked_client(server, max_in_flight=1) as client,
        asyncio.TaskGroup() as group,
    ):
        for some in ([first], *(others[start::5] for start in range(5))):
            group.create_task(create_all(some))

    check = next(nth for nth, seen in enumerate(server.requests) if seen.method == "GET")
    assert check < 35, "others still wait"
    # One other is let in in the moment when the check gives its place back.
    after = [json.loads(seen.body)["videoId"] for seen in server.requests[check + 1 : check + 3]]
    assert after[1] == "v0"


@pytest.mark.parametrize(("failures", "refunds"), [(0, []), (1, [1.0]), (2, [1.0]), (3, [])])
async def test_the_retry_that_succeeds_costs_the_retry_budget_nothing(
    failures: int, refunds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    refunded: list[float] = []

    def refund(_: RetryBudget, price: float) -> None:
        refunded.append(price)

    monkeypatch.setattr(RetryBudget, "refund", refund)
    backend = Backend()
    backend.meets("POST", *[Fate.LOST_BEFORE] * failures)
    client = in_memory_client(backend, attempts=3)
    await client.creator.create(NEW, client.executor.begin_call())
    assert refunded == refunds
