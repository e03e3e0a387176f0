"""Undo deletes what a journal's runs created, whatever happens to it on the way."""

import asyncio
from pathlib import Path

import pytest

from restream_async import BadRequestError, JournalError, NewRestream, Origin
from restream_async._bulk.journal_adapter import JournalAdapter
from restream_async._bulk.undo import Undo, Undone
from restream_async._journal.database import Batch, Database
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async.sandbox import Sandbox
from tests.helpers.in_memory_service import (
    IDENTITY,
    Backend,
    Fate,
    InMemoryClient,
    in_memory_client,
    new,
)
from tests.helpers.journal_clients import late_commit_client, origins
from tests.helpers.journal_disk import states

WANTED = [new(str(number)) for number in range(20)]


async def test_a_restream_that_another_client_has_deleted_counts_as_gone(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        report = await client.create_all(WANTED, journal=path)
        await client.delete(report.created[0].restream.id)
        told: list[Undone] = []
        async with client.undo(path) as undo:
            await undo.carry_out(told.append)
        assert (undo.total, undo.left_alone, undo.unsure) == (20, 0, 0)
        assert len(told) == 20
        assert all(undone.gone for undone in told)
        assert not sandbox.stored


async def test_an_undo_that_has_ended_does_not_hold_up_a_drain(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED[:3], journal=path)
        async with client.undo(path) as undo:
            await undo.carry_out(lambda _: None)
        async with asyncio.timeout(10):
            await client.drain(timeout=60)


async def test_a_stopped_undo_goes_on_later(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox, max_in_flight=1) as client:
        await client.create_all(WANTED, journal=path)
        told: list[Undone] = []

        def stop(undone: Undone) -> None:
            told.append(undone)
            undo.stop()

        async with client.undo(path) as undo:
            await undo.carry_out(stop)
        assert [undone.gone for undone in told] == [True], "no further deletion begins"
        assert len(sandbox.stored) == 19
        async with client.undo(path) as undo:
            assert undo.total == 19
            await undo.carry_out(lambda _: None)
        assert not sandbox.stored


async def test_a_journal_that_breaks_on_the_way_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED, journal=path)
        with monkeypatch.context() as patch:
            commit = Database.commit

            def full(store: Database, batch: Batch) -> object:
                if batch.ends:
                    raise JournalError("the disk is full")
                return commit(store, batch)

            patch.setattr(Database, "commit", full)
            with pytest.raises(JournalError, match="the disk is full"):
                async with client.undo(path) as undo:
                    await undo.carry_out(lambda _: None)
        # What is gone already does no harm the next time.
        async with client.undo(path) as undo:
            await undo.carry_out(lambda _: None)
        assert not sandbox.stored


async def test_a_journal_that_cannot_be_counted_is_closed_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED[:1], journal=path)
        with monkeypatch.context() as patch:

            def broken(_: Database, state: State) -> int:
                raise JournalError(f"no count of {state}")

            patch.setattr(Database, "count", broken)
            with pytest.raises(JournalError, match="no count of"):
                await client.undo(path).__aenter__()
        async with client.undo(path) as undo:
            assert undo.total == 1


async def test_what_tells_of_a_deletion_may_fail_without_losing_its_error(path: Path) -> None:
    def heed(_: Undone) -> None:
        raise LookupError("somebody's own")

    async with Sandbox() as sandbox, late_commit_client(sandbox, max_in_flight=2) as client:
        await client.create_all(WANTED, journal=path)
        with pytest.raises(LookupError, match="somebody's own"):
            async with client.undo(path) as undo:
                await undo.carry_out(heed)


async def test_no_task_waits_for_ever_after_any_error_of_a_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED[:1], journal=path)

        def out_of_memory(_: Database, batch: Batch) -> object:
            raise MemoryError(len(batch.questions))

        monkeypatch.setattr(Database, "commit", out_of_memory)
        with pytest.raises(MemoryError):
            async with asyncio.timeout(5):
                await client.undo(path).__aenter__()


async def test_what_could_not_be_deleted_is_left_to_the_next_undo(path: Path) -> None:
    backend = Backend()
    client = in_memory_client(backend)
    async with client.run(WANTED[0], journal=path) as run:
        await run.report()
    backend.meets("DELETE", Fate.REFUSED)
    told: list[Undone] = []
    async with Undo(client.executor, client.api, Journal(path, IDENTITY)) as undo:
        await undo.carry_out(told.append)
    assert [type(undone.error) for undone in told] == [BadRequestError]
    async with Undo(client.executor, client.api, Journal(path, IDENTITY)) as undo:
        assert undo.total == 1


async def test_an_undo_whose_input_ends_begins_no_further_deletion(path: Path) -> None:
    backend = Backend()
    client = in_memory_client(backend, limit=1)
    async with client.run(*WANTED[:3], journal=path) as run:
        await run.report()
    async with Undo(client.executor, client.api, Journal(path, IDENTITY)) as undo:
        end = undo.end_input
        await undo.carry_out(lambda _: end())
        assert states(path) == [(0, "created")] * 2 + [(0, "undone")]
    assert (backend.count("DELETE"), len(backend.stored)) == (1, 2)


class TestAKilledCheckOfWhatIsDone:
    """`--ensure` was killed when its intents were durable, and nothing else had happened."""

    @staticmethod
    async def run(
        client: InMemoryClient, path: Path, *wanted: NewRestream, ensure: bool = False
    ) -> list[Origin | str]:
        async with client.run(*wanted, journal=path, ensure=ensure) as run:
            return origins([outcome async for outcome in run])

    @staticmethod
    async def killed(path: Path, *wanted: NewRestream) -> None:
        async with Journal(path, IDENTITY) as journal:
            await JournalAdapter(journal, "existing", ensure=True).note_intents([*wanted, *wanted])

    @staticmethod
    def undo(client: InMemoryClient, path: Path) -> Undo:
        return Undo(client.executor, client.api, Journal(path, IDENTITY))

    @pytest.mark.parametrize("kills", [1, 2])
    @pytest.mark.parametrize("reruns", [[], [False], [True], [True, False]])
    async def test_leaves_its_own_its_own(self, path: Path, kills: int, reruns: list[bool]) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        await self.run(client, path, *WANTED)
        for _ in range(kills):
            await self.killed(path, *WANTED)
        for ensure in reruns:
            await self.run(client, path, *WANTED, ensure=ensure)
        async with self.undo(client, path) as undo:
            assert (undo.total, undo.left_alone, undo.unsure) == (20, 0, 0)
            await undo.carry_out(lambda _: None)
            assert undo.unsure == 0
        assert backend.stored == []
        assert backend.count("POST") == 20

    async def test_leaves_alone_what_was_found(self, path: Path) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        backend.add(WANTED[0])
        await self.run(client, path, WANTED[0], ensure=True)
        await self.killed(path, WANTED[0])
        async with self.undo(client, path) as undo:
            assert (undo.total, undo.left_alone, undo.unsure) == (0, 0, 1)
        assert await self.run(client, path, WANTED[0]) == [Origin.CONFIRMED]
        async with self.undo(client, path) as undo:
            assert (undo.total, undo.left_alone, undo.unsure) == (0, 1, 0)

    async def test_is_unsure_of_what_is_gone_and_may_be_there_anew(self, path: Path) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        await self.run(client, path, *WANTED[:2])
        await self.killed(path, *WANTED[:2])
        backend.stored.clear()
        # What the killed run may have come to.
        backend.add(WANTED[1])
        async with self.undo(client, path) as undo:
            assert (undo.total, undo.unsure) == (2, 0)
            await undo.carry_out(lambda _: None)
            assert undo.unsure == 2
        assert await self.run(client, path, *WANTED[:2]) == [Origin.POSTED, Origin.CONFIRMED]
