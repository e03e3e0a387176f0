"""What an apply notes in its journal, and what it believes of it."""

import asyncio
from pathlib import Path

import pytest

from restream_async import Action, JournalError
from restream_async._bulk.undo import Undo
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._journal.database import Batch, Database
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async._operations.existence import key_of
from tests.helpers.in_memory_service import (
    IDENTITY,
    Backend,
    Fate,
    InMemoryClient,
    in_memory_client,
)
from tests.helpers.journal_disk import states, write
from tests.helpers.wanted_states import apply_of, changes_of, short, state_of, want, wanted_state


async def undo(client: InMemoryClient, path: Path) -> Undo:
    """Undo, and return what was counted before."""
    async with Undo(client.executor, client.api, Journal(path, IDENTITY)) as undone:
        await undone.carry_out(lambda _: None)
    return undone


class TestWhatIsNoted:
    async def test_what_was_created_is_undone_and_what_was_found_is_left(self, path: Path) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        backend.add(want("b"))
        await changes_of(apply_of(client, [want("a", title="A"), want("b")], journal=path))
        assert states(path) == [(0, "created")]
        undone = await undo(client, path)
        assert (undone.total, undone.unsure) == (1, 0)
        assert [each.stream_key for each in backend.stored] == ["stream-key-b"]

    async def test_a_creation_in_doubt_is_its_own_because_the_list_showed_nothing(
        self, path: Path
    ) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LOST_AFTER)
        client = in_memory_client(backend)
        await changes_of(apply_of(client, [want()], journal=path))
        assert (await undo(client, path)).total == 1
        assert not backend.stored

    async def test_a_checked_doubt_is_not_checked_again(self, path: Path) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LOST_AFTER)
        client = in_memory_client(backend)
        await changes_of(apply_of(client, [want()], journal=path))
        async with Journal(path, IDENTITY) as journal:
            [entry] = await journal.known(journal.fingerprint(*key_of(want())))
        assert entry.absent_before is None

    async def test_a_doubt_with_copies_left_stays(self, path: Path) -> None:
        backend = Backend()
        backend.meets("POST", Fate.LATE)
        await changes_of(apply_of(in_memory_client(backend), [want()], prune=False, journal=path))
        async with Journal(path, IDENTITY) as journal:
            [entry] = await journal.known(journal.fingerprint(*key_of(want())))
        assert entry.absent_before is True

    async def test_what_was_refused_is_noted_as_failed(self, path: Path) -> None:
        backend = Backend()
        backend.meets("POST", Fate.REFUSED)
        await changes_of(apply_of(in_memory_client(backend), [want()], journal=path))
        assert states(path) == [(0, "failed")]

    async def test_what_was_deleted_is_noted(self, path: Path) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        await changes_of(apply_of(client, [want("old")], journal=path))
        await changes_of(apply_of(client, [want("new")], journal=path))
        assert sorted(states(path)) == [(0, "created"), (0, "undone")]

    async def test_a_deleted_restream_that_it_does_not_know_is_not_noted(self, path: Path) -> None:
        backend = Backend()
        backend.add(want("old"))
        await changes_of(apply_of(in_memory_client(backend), [want("new")], journal=path))
        assert states(path) == [(0, "created")]


class Hanging(Backend):
    """Never answers a POST."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging = asyncio.Event()

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        if request.method == "POST":
            self.hanging.set()
            request.sent = True
            await asyncio.Event().wait()
        return await super().send(request, timeout)


async def test_what_a_cancelled_run_has_not_begun_leaves_no_open_intent(path: Path) -> None:
    backend = Hanging()
    wanted = [want("a"), want("b"), want("c")]
    async with apply_of(in_memory_client(backend, limit=1), wanted, journal=path):
        await backend.hanging.wait()
    assert sorted(states(path)) == [(0, "failed"), (0, "failed"), (0, "intended")]


class TestWhatIsBelieved:
    async def test_what_the_journal_calls_created_and_the_list_lacks_is_created_again(
        self, path: Path
    ) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        await changes_of(apply_of(client, [want()], journal=path))
        backend.stored.clear()
        backend.sent.clear()
        changes = await changes_of(apply_of(in_memory_client(backend), [want()], journal=path))
        assert short(changes) == ["create a #2"]
        assert [request.method for request in backend.sent] == ["GET", "POST"]
        assert (await undo(client, path)).total == 1
        assert not backend.stored

    async def test_an_open_intent_is_checked_by_the_list_and_by_one_afterwards(
        self, path: Path
    ) -> None:
        await self.leave_an_intent(path)
        backend = Backend()
        changes = await changes_of(apply_of(in_memory_client(backend), [want()], journal=path))
        assert short(changes) == ["create a #1"]
        assert [request.method for request in backend.sent] == ["GET", "POST", "GET"]
        assert states(path) == [(0, "created")]

    async def test_an_open_intent_of_one_that_exists_ends(self, path: Path) -> None:
        await self.leave_an_intent(path)
        backend = Backend()
        backend.add(want())
        await changes_of(apply_of(in_memory_client(backend), [want()], journal=path))
        assert states(path) == [(0, "found")]
        assert (await undo(in_memory_client(backend), path)).unsure == 0

    async def test_one_that_was_created_and_checked_again_is_still_its_own(
        self, path: Path
    ) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        await changes_of(apply_of(client, [want()], journal=path))
        async with Journal(path, IDENTITY) as journal:
            # Killed before the creation of one that a list lacked, wrongly.
            await journal.begin(journal.fingerprint(*key_of(want())), recheck=True)
        assert states(path) == [(0, "rechecked")]
        await changes_of(apply_of(client, [want()], journal=path))
        assert states(path) == [(0, "created")]

    @staticmethod
    async def leave_an_intent(path: Path) -> None:
        async with Journal(path, IDENTITY) as journal:
            await journal.begin(journal.fingerprint(*key_of(want())))


class TestAJournalThatBreaks:
    async def test_nothing_is_created_without_a_durable_intent(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(store: Database, batch: Batch) -> object:
            if batch.begins:
                raise JournalError("the disk is full")
            return commit(store, batch)

        commit = Database.commit
        monkeypatch.setattr(Database, "commit", broken)
        backend = Backend()
        backend.add(want("b", video="v2"))
        wanted = [want(), want("b", video="v2"), *(want(video=f"w{each}") for each in range(90))]
        async with apply_of(in_memory_client(backend, limit=1), wanted, journal=path) as run:
            changes = [await anext(run) for _ in wanted]
            with pytest.raises(JournalError, match="the disk is full"):
                await anext(run)
        assert isinstance(changes[0].error, JournalError)
        assert short(changes[1:2]) == ["keep b #1"]
        assert backend.count("POST") == 0
        assert len(backend.sent) < 10

    async def test_a_journal_that_cannot_be_read_is_an_error(self, path: Path) -> None:
        write(path, b"no journal at all, but a text" * 50)
        backend = Backend()
        with pytest.raises(JournalError):
            await changes_of(apply_of(in_memory_client(backend), [want()], journal=path))
        assert not backend.sent

    async def test_ends_that_cannot_be_written_are_an_error_at_the_end(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(store: Database, batch: Batch) -> object:
            if batch.ends:
                raise JournalError("the disk is full")
            return commit(store, batch)

        commit = Database.commit
        monkeypatch.setattr(Database, "commit", broken)
        backend = Backend()
        run = apply_of(in_memory_client(backend), [want()], journal=path)
        async with run:
            assert short([await anext(run)]) == ["create a #1"]
            with pytest.raises(JournalError, match="the disk is full"):
                await anext(run)


class TestServicesThatHideKeys:
    """The journal and the client know which ids they were given."""

    @staticmethod
    def hiding(how: str) -> Backend:
        backend = Backend()

        def show(fields: dict[str, object]) -> dict[str, object]:
            key = f"hash-{hash(fields['streamKey'])}" if how == "hash" else "***"
            return {**fields, "streamKey": key}

        backend.show = show
        return backend

    @pytest.mark.parametrize("how", ["hash", "mask"])
    async def test_what_this_client_created_is_known_by_its_id(self, how: str) -> None:
        backend = self.hiding(how)
        client = in_memory_client(backend)
        wanted = [want("a"), want("b"), want("c", title="C", status=False)]
        await changes_of(apply_of(client, wanted))
        backend.sent.clear()
        changes = await changes_of(apply_of(client, wanted))
        assert short(changes) == ["keep a #1", "keep b #2", "keep c #3"]
        assert [request.method for request in backend.sent] == ["GET"]

    @pytest.mark.parametrize("how", ["hash", "mask"])
    async def test_what_an_earlier_run_created_is_known_from_the_journal(
        self, path: Path, how: str
    ) -> None:
        backend = self.hiding(how)
        wanted = [want("a"), want("b"), want("c", title="C")]
        await changes_of(apply_of(in_memory_client(backend), wanted, journal=path))
        changes = await changes_of(apply_of(in_memory_client(backend), wanted, journal=path))
        assert short(changes) == ["keep a #1", "keep b #2", "keep c #3"]
        assert backend.count("POST") == 3

    @pytest.mark.parametrize("how", ["hash", "mask"])
    async def test_a_known_old_one_is_rotated_with_two_lists(self, path: Path, how: str) -> None:
        backend = self.hiding(how)
        client = in_memory_client(backend)
        old, new = [want("a"), want("b")], [want("a"), want("new")]
        await changes_of(apply_of(client, old, journal=path))
        await changes_of(apply_of(client, old, journal=path))
        backend.sent.clear()
        changes = await changes_of(apply_of(client, new, journal=path))
        assert short(changes) == ["keep a #1", "rotate new #2"]
        assert [each.method for each in backend.sent] == ["GET", "POST", "GET", "DELETE"]
        assert state_of(backend.stored) == wanted_state(new)

    async def test_a_masked_one_of_somebody_else_is_neither_rotated_nor_deleted(self) -> None:
        backend = self.hiding("mask")
        backend.add(want("x"))
        backend.add(want("y"))
        [change, other] = await changes_of(apply_of(in_memory_client(backend), [want("new")]))
        assert short([change, other]) == ["keep new #1 unclear", "keep #2 unclear"]
        assert change.action is Action.KEEP
        assert {request.method for request in backend.sent} == {"GET"}


async def test_a_state_of_the_journal_is_read_without_noting_anything(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        fingerprints = [journal.fingerprint(each) for each in "ab"]
        await journal.begin(fingerprints[0])
        journal.end(fingerprints[0], 0, State.CREATED, restream_id=7)
        entries = await journal.known(*fingerprints)
        assert [(each.state, each.restream_id) for each in entries] == [
            (State.CREATED, 7),
            (None, None),
        ]
    assert states(path) == [(0, "created")]
