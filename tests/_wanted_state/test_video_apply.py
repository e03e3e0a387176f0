"""An apply over a service in memory: what it sends, in which order, and what it reports."""

import asyncio
from collections import Counter
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restream_async import (
    Action,
    NewRestream,
    NotFoundError,
    NotSentError,
    Restream,
)
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._operations.create_options import CHECK_FIRST
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.strategies import quick
from tests.helpers.wanted_states import (
    CHANGING,
    OTHER_URL,
    URL,
    apply_of,
    changes_of,
    plan_of,
    short,
    state_of,
    statuses_of,
    want,
    wanted_state,
)


def methods(backend: Backend) -> list[str]:
    return [request.method for request in backend.sent]


def deletion_at(method: str, backend: Backend, *ids: int) -> Callable[[str], None]:
    """Return a watch that deletes restreams whenever a request of that method was done."""

    def delete(seen: str) -> None:
        if seen == method:
            backend.stored = [each for each in backend.stored if each.id not in ids]

    return delete


class TestTheOrder:
    async def test_a_new_key_is_created_and_verified_before_the_old_one_is_deleted(self) -> None:
        backend = Backend()
        old = backend.add(want("old"))
        [change] = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert methods(backend) == ["GET", "POST", "GET", "DELETE"]
        assert (change.action, change.existing, change.error) == (Action.ROTATE, old, None)
        assert state_of(backend.stored) == wanted_state([want("new")])

    async def test_a_rotation_that_was_interrupted_needs_no_second_list(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        backend.add(want("new"))
        await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert methods(backend) == ["GET", "DELETE"]

    async def test_a_status_is_set_with_one_list_before_and_one_after(self) -> None:
        backend = Backend()
        backend.add(want("a", status=False))
        backend.add(want("b"))
        wanted = [want("a"), want("b", status=False)]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert methods(backend) == ["GET", "PUT", "PUT", "GET"]
        assert short(changes) == ["enable a #1", "disable b #2"]
        assert [change.existing and change.existing.status for change in changes] == [True, False]

    async def test_everything_at_once_takes_two_lists(self) -> None:
        backend = Backend()
        for new in (want("old"), want("b", title="B", status=False), want("x", title="X")):
            backend.add(new)
        wanted = [want("new"), want("b", title="B"), want("c", title="C")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == ["rotate new #1", "enable b #2", "create c #5", "delete #3"]
        assert methods(backend).count("GET") == 2
        assert state_of(backend.stored) == wanted_state(wanted)

    async def test_what_is_only_created_is_not_listed_again(self) -> None:
        backend = Backend()
        [change] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert methods(backend) == ["GET", "POST"]
        assert change.existing == backend.stored[0]

    async def test_an_old_one_of_two_is_replaced_by_one_creation(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        backend.add(want("older"))
        changes = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert short(changes) == ["rotate new #1", "rotate new #2"]
        assert Counter(methods(backend)) == {"GET": 2, "POST": 1, "DELETE": 2}

    async def test_the_second_time_it_only_lists(self) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        backend.add(want("old"))
        backend.add(want("x", title="X"))
        wanted = [want("new"), want("b", video="v2", status=False)]
        await changes_of(apply_of(client, wanted))
        backend.sent.clear()
        changes = await changes_of(apply_of(client, wanted))
        assert methods(backend) == ["GET", "GET"]
        assert all(change.action is Action.KEEP for change in changes)


class TestWhatIsNotAllowed:
    async def test_without_rotate_neither_is_the_new_one_created(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        changes = await changes_of(apply_of(in_memory_client(backend), [want("new")], rotate=False))
        assert short(changes) == ["rotate new #1 needs rotate"]
        assert methods(backend) == ["GET"]

    async def test_without_prune_extras_and_duplicates_stay(self) -> None:
        backend = Backend()
        for new in (want(), want(), want("x", title="X")):
            backend.add(new)
        changes = await changes_of(apply_of(in_memory_client(backend), [want()], prune=False))
        assert short(changes) == [
            "keep a #1",
            "delete a #2 duplicate needs prune",
            "delete #3 needs prune",
        ]
        assert methods(backend) == ["GET"]


class TestFailures:
    async def test_what_fails_is_reported_and_the_rest_is_done(self) -> None:
        backend = Backend()
        backend.add(want("old", video="v1"))
        backend.meets("POST", Fate.REFUSED, video="v1")
        wanted = [want("new", video="v1"), want("a", video="v2")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == ["rotate new #1 BadRequestError", "create a #2"]
        assert len(backend.stored) == 2

    async def test_extras_stay_if_something_of_the_video_could_not_be_created(self) -> None:
        backend = Backend()
        backend.add(want("old", title="Old title"))
        backend.add(want("b"))
        backend.add(want("b"))
        backend.meets("POST", Fate.REFUSED)
        wanted = [want("new", title="New title"), want("b")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == [
            "create new BadRequestError",
            "keep b #2",
            "delete b #3 duplicate",
            "delete #1 NotSentError",
        ]
        assert [each.id for each in backend.stored] == [1, 2]

    async def test_an_old_one_stays_if_the_list_afterwards_fails(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        backend.meets("GET", Fate.DONE, *[Fate.REFUSED] * 9)
        [change] = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert short([change]) == ["rotate new #1 BadRequestError"]
        assert "the new restream was created, and the old one was kept" in str(change.error)
        assert len(backend.stored) == 2

    async def test_a_rotation_that_is_stopped_after_the_creation_says_so(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        run = apply_of(in_memory_client(backend), [want("new")])

        def stop_after_the_creation(seen: str) -> None:
            if seen == "POST" and len(backend.stored) == 2:
                run.stop()

        backend.watch_answer = stop_after_the_creation
        [change] = await changes_of(run)
        assert "the new restream was created, and the old one was kept" in str(change.error)
        assert len(backend.stored) == 2

    async def test_a_rotation_that_is_cancelled_after_the_creation_says_so(self) -> None:
        backend = Backend()
        backend.add(want("old"))
        run = apply_of(in_memory_client(backend), [want("new")])

        def cancel_after_the_creation(seen: str) -> None:
            if seen == "GET" and len(backend.stored) == 2:
                for task in run._tasks:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
                    task.cancel()

        backend.watch = cancel_after_the_creation
        async with run:
            change = await anext(run)
            with pytest.raises(RuntimeError, match="cancelled from outside"):
                await anext(run)
        assert "the new restream was created, and the old one was kept" in str(change.error)

    async def test_an_old_one_stays_if_the_list_does_not_show_the_new_one(self) -> None:
        backend = Backend()
        backend.add(want("old"))

        def lose_the_new_one(method: str) -> None:
            if method == "GET":
                backend.stored = [each for each in backend.stored if each.id == 1]

        backend.watch = lose_the_new_one
        [change] = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert isinstance(change.error, NotSentError)
        assert "no list has shown the new restream" in str(change.error)
        assert backend.count("DELETE") == 0

    async def test_an_old_one_that_is_gone_meanwhile_is_no_failure(self) -> None:
        backend = Backend()
        backend.add(want("old"))

        def delete_the_old_one(method: str) -> None:
            if method == "POST":
                backend.stored = [each for each in backend.stored if each.id != 1]

        backend.watch_answer = delete_the_old_one
        changes = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert short(changes) == ["rotate new #1"]
        assert backend.count("DELETE") == 0

    async def test_a_deletion_that_finds_nothing_is_no_failure(self) -> None:
        backend = Backend()
        backend.add(want("x", title="X"))
        backend.meets("DELETE", Fate.NOT_FOUND)
        [_, extra] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert extra.error is None

    async def test_a_deletion_that_is_refused_is_reported(self) -> None:
        backend = Backend()
        backend.add(want("x", title="X"))
        backend.meets("DELETE", Fate.REFUSED)
        changes = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short(changes) == ["create a #2", "delete #1 BadRequestError"]

    async def test_a_deletion_that_the_service_did_not_make_is_reported(self) -> None:
        class Keeping(Backend):
            async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
                if request.method == "DELETE":
                    return Response(status=200, body=b'{"success": true, "result": false}')
                return await super().send(request, timeout)

        backend = Keeping()
        backend.add(want("x", title="X"))
        [_, extra] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert "it did not delete the restream" in str(extra.error)

    async def test_a_copy_whose_original_is_gone_meanwhile_is_kept(self) -> None:
        backend = Backend()
        for new in (want("b", title="B"), want("b", title="B"), want("old")):
            backend.add(new)

        def delete_the_first(method: str) -> None:
            if method == "POST":
                backend.stored = [each for each in backend.stored if each.id != 1]

        backend.watch = delete_the_first
        wanted = [want("b", title="B"), want("new")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == ["keep b #1", "keep b #2", "rotate new #3"]
        assert state_of(backend.stored) == wanted_state(wanted)

    async def test_a_copy_that_takes_the_place_with_another_status_is_not_called_done(self) -> None:
        backend = Backend()
        for new in (want("b", title="B"), want("b", title="B", status=False), want("old")):
            backend.add(new)
        backend.watch_answer = deletion_at("POST", backend, 1)
        wanted = [want("b", title="B"), want("new")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == ["keep b #1", "enable b #2 NotSentError", "rotate new #3"]
        assert "apply again" in str(changes[1].error)
        await changes_of(apply_of(in_memory_client(backend), wanted))
        assert state_of(backend.stored) == wanted_state(wanted)

    async def test_a_video_that_is_deleted_meanwhile_is_not_called_in_sync(self) -> None:
        backend = Backend()
        backend.add(want("b", title="B"))
        backend.add(want("old"))
        backend.watch_answer = deletion_at("POST", backend, 1, 2, 3)
        changes = await changes_of(
            apply_of(in_memory_client(backend), [want("b", title="B"), want("new")])
        )
        assert short(changes) == ["keep b #1 NotSentError", "rotate new #2 NotSentError"]
        assert all("apply again" in str(change.error) for change in changes)

    async def test_an_id_that_cannot_stand_in_a_path_does_not_end_the_run(self) -> None:
        backend = Backend()
        backend.show = lambda fields: {**fields, "id": ".."} if fields["id"] == 1 else fields
        backend.add(want("x", title="X"))
        backend.meets("POST", Fate.REFUSED, video="v1")
        changes = await changes_of(apply_of(in_memory_client(backend), [want(), want(video="v2")]))
        assert short(changes) == [
            "create a BadRequestError",
            "delete #.. NotSentError",
            "create a #2",
        ]

    async def test_a_status_that_cannot_be_set_is_reported(self) -> None:
        backend = Backend()
        backend.add(want(status=False))
        backend.meets("PUT", Fate.REFUSED)
        changes = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short(changes) == ["enable a #1 BadRequestError"]

    async def test_an_id_that_cannot_stand_in_a_path_is_reported(self) -> None:
        backend = Backend()
        backend.show = lambda fields: {**fields, "id": ".."}
        backend.add(want(status=False))
        assert short(await changes_of(apply_of(in_memory_client(backend), [want()]))) == [
            "enable a #.. InvalidRestreamError"
        ]
        assert short(
            await changes_of(apply_of(in_memory_client(backend), [want("b", title="B")]))
        ) == [
            "create b #2",
            "delete #.. InvalidRestreamError",
        ]

    async def test_a_video_that_cannot_be_read_is_not_changed(self) -> None:
        backend = Backend()
        backend.meets("GET", Fate.NOT_ALLOWED, video="v1")
        wanted = [want("a"), want("b"), want("a", video="v2")]
        changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert short(changes) == ["keep a ApiError", "keep b ApiError", "create a #1"]
        assert not any(change.is_in_sync for change in changes[:2])

    async def test_a_video_that_is_not_found_has_nothing(self) -> None:
        backend = Backend()
        backend.meets("GET", Fate.NOT_FOUND)
        backend.meets("POST", Fate.NOT_FOUND)
        [change] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert change.action is Action.CREATE
        assert isinstance(change.error, NotFoundError)


class Pausing(Backend):
    """Creates every restream inactive."""

    def add(self, wanted: NewRestream) -> Restream:
        return super().add(attrs.evolve(wanted, status=False))


class TestAServiceThatCreatesInactiveRestreams:
    async def test_a_new_key_is_active_before_the_old_one_is_deleted(self) -> None:
        backend = Pausing()
        Backend.add(backend, want("old"))
        Backend.add(backend, want("older"))
        changes = await changes_of(
            apply_of(in_memory_client(backend), [want("new"), want("b", title="B")])
        )
        assert short(changes) == ["rotate new #1", "rotate new #2", "create b #4"]
        assert methods(backend)[-4:] == ["PUT", "GET", "DELETE", "DELETE"]
        assert state_of(backend.stored) == wanted_state([want("new"), want("b", title="B")])

    async def test_an_old_one_stays_if_the_new_one_cannot_be_activated(self) -> None:
        backend = Pausing()
        Backend.add(backend, want("old"))
        backend.meets("PUT", Fate.REFUSED)
        [change] = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert short([change]) == ["rotate new #1 BadRequestError"]
        assert backend.count("DELETE") == 0


class TestDoubt:
    async def test_a_lost_answer_is_followed_by_a_list_that_shows_copies(self) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LATE)
        changes = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short(changes) == ["create a #1", "delete a #2 duplicate"]
        assert state_of(backend.stored) == wanted_state([want()])

    async def test_without_prune_a_late_copy_is_only_reported(self) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LATE)
        changes = await changes_of(apply_of(in_memory_client(backend), [want()], prune=False))
        assert short(changes) == ["create a #1", "delete a #2 duplicate needs prune"]

    async def test_a_creation_that_seemed_to_fail_and_turns_up_is_done(self) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LATE, Fate.REFUSED)
        [change] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short([change]) == ["create a #1"]
        assert change.error is None

    async def test_one_that_turns_up_with_another_status_is_not_called_done(self) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LATE, Fate.REFUSED)
        backend.show = lambda fields: {**fields, "status": False}
        [change] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short([change]) == ["create a BadRequestError"]

    async def test_what_was_found_with_another_status_is_set(self) -> None:
        backend = Backend()

        def create_elsewhere(request: Request) -> Fate:
            if request.method == "POST":
                backend.add(want(status=False))
                return Fate.LOST_BEFORE
            return Fate.DONE

        backend.choose = create_elsewhere
        [change] = await changes_of(apply_of(in_memory_client(backend), [want()]))
        assert short([change]) == ["create a #1"]
        assert state_of(backend.stored) == wanted_state([want()])

    async def test_what_was_found_with_another_status_is_not_called_done_before_it_is_set(
        self,
    ) -> None:
        backend = Backend()

        def create_elsewhere(request: Request) -> Fate:
            if request.method == "POST":
                backend.add(want(status=False))
                return Fate.LOST_BEFORE
            if request.method == "PUT":
                run.stop()
                return Fate.TURNED_AWAY
            return Fate.DONE

        backend.choose = create_elsewhere
        run = apply_of(in_memory_client(backend), [want()])
        [change] = await changes_of(run)
        assert change.error is not None


class TestTurns:
    async def test_what_the_client_creates_after_the_list_is_not_created_again(self) -> None:
        class CreatingMeanwhile(Backend):
            async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
                reply = await super().send(request, timeout)
                if request is self.sent[0]:
                    deadline = client.executor.begin_call()
                    await client.creator.create(want(), deadline, CHECK_FIRST)
                return reply

        backend = CreatingMeanwhile()
        client = in_memory_client(backend)
        changes = await changes_of(apply_of(client, [want(), want("b")]))
        assert short(changes) == ["create a #1", "create b #2"]
        assert state_of(backend.stored) == wanted_state([want(), want("b")])

    async def test_two_applies_of_one_client_change_a_video_one_after_the_other(self) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        backend.add(want("old"))
        statuses = statuses_of(client)
        run = apply_of(client, [want("new")], statuses=statuses)
        other = apply_of(client, [want("new")], statuses=statuses)
        await asyncio.gather(changes_of(run), changes_of(other))
        assert state_of(backend.stored) == wanted_state([want("new")])
        assert methods(backend) == ["GET", "POST", "GET", "DELETE", "GET"]


videos = st.sampled_from(["v1", "v2"])
titles = st.sampled_from(["YouTube", "Twitch"])
urls = st.sampled_from([URL, OTHER_URL])
restreams = st.builds(
    want, st.sampled_from("abcd"), video=videos, title=titles, url=urls, status=st.booleans()
)
wanted_lists = st.lists(
    restreams,
    min_size=1,
    max_size=6,
    unique_by=lambda new: (new.video_id, new.stream_url, new.stream_key),
)
HARMLESS = (Fate.UNSENT, Fate.TURNED_AWAY, Fate.LOST_BEFORE, Fate.LOST_AFTER)
fates = st.lists(st.sampled_from([Fate.DONE, Fate.DONE, Fate.DONE, *HARMLESS]), max_size=12)


class TestAnything:
    @given(wanted=wanted_lists, existing=st.lists(restreams, max_size=6), fates=fates)
    @settings(quick, max_examples=30)
    def test_any_state_becomes_the_wanted_one_under_faults(
        self, wanted: list[NewRestream], existing: list[NewRestream], fates: list[Fate]
    ) -> None:
        asyncio.run(self._apply(wanted, existing, fates))

    @staticmethod
    async def _apply(
        wanted: list[NewRestream], existing: list[NewRestream], fates: list[Fate]
    ) -> None:
        backend = Backend()
        client = in_memory_client(backend, attempts=20)
        for each in existing:
            backend.add(each)
        for method in ("GET", *CHANGING):
            backend.meets(method, *fates)
        changes = await changes_of(apply_of(client, wanted))
        if any(change.error is not None for change in changes):
            # So many failures in a row are an outage.
            backend.fates.clear()
            changes = await changes_of(apply_of(in_memory_client(backend), wanted))
        assert not [change for change in changes if change.error is not None]
        mine = [each for each in backend.stored if each.video_id in {w.video_id for w in wanted}]
        assert state_of(mine) == wanted_state(wanted)
        backend.fates.clear()
        backend.sent.clear()
        assert all(change.is_in_sync for change in await changes_of(plan_of(client, wanted)))
        await changes_of(apply_of(client, wanted))
        assert set(methods(backend)) == {"GET"}
