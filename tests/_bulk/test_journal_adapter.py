"""Runs with a journal: nothing is created twice, and nothing is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import InternalServerError, JournalError
from restream_async._bulk.journal_adapter import JournalAdapter
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.bulk_inputs import NO, by_video, origin_values
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.polling import until
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import INTERNAL_ERROR, created, listed, many, new_restream, on_the_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from restream_async import BulkReport, NewRestream

NEW: Final = new_restream()


async def run_again(
    server: RawServer | Sandbox, requests: list[NewRestream], journal: Path
) -> BulkReport:
    async with leak_checked_client(server) as client:
        report = await client.create_all(requests, journal=journal)
        await assert_nothing_left(client)
    return report


class TestJournal:
    async def test_what_is_done_is_not_done_again(self, tmp_path: Path) -> None:
        journal = tmp_path / "run.db"
        async with Sandbox() as sandbox:
            first = await run_again(sandbox, many(20), journal)
            second = await run_again(sandbox, many(25), journal)

        assert origin_values(first) == ["posted"] * 20
        assert origin_values(second) == ["journal"] * 20 + ["posted"] * 5
        assert [outcome.attempts for outcome in second.created[:20]] == [0] * 20
        assert [outcome.restream for outcome in second.created[:20]] == [
            outcome.restream for outcome in first.created
        ]
        assert (sandbox.counts.posts, sandbox.counts.lists, len(sandbox.stored)) == (25, 0, 25)

    @staticmethod
    async def interrupted(server: RawServer, journal: Path) -> None:
        async with leak_checked_client(server) as client:
            async with client.create_many([NEW], journal=journal):
                await server.arrived()
            await assert_nothing_left(client)

    async def test_what_was_in_progress_is_checked_first(self, tmp_path: Path) -> None:
        async with RawServer(post=then_hang(), get=listed(on_the_wire(NEW, 9))) as server:
            await self.interrupted(server, tmp_path / "run.db")
            report = await run_again(server, [NEW], tmp_path / "run.db")

        assert origin_values(report) == ["confirmed"]
        assert report.created[0].restream.id == 9
        assert server.counts["POST"] == 1

    async def test_what_was_in_progress_and_is_absent_is_created(self, tmp_path: Path) -> None:
        async with RawServer(post=[then_hang(), created()], get=listed()) as server:
            await self.interrupted(server, tmp_path / "run.db")
            report = await run_again(server, [NEW], tmp_path / "run.db")

        assert origin_values(report) == ["posted"]
        assert server.order.startswith("POST GET POST")

    async def test_what_failed_is_tried_again(self, tmp_path: Path) -> None:
        async with RawServer(post=by_video(v1=[NO, created(new_restream("v1"))])) as server:
            first = await run_again(server, many(3), tmp_path / "run.db")
            second = await run_again(server, many(3), tmp_path / "run.db")

        assert (origin_values(first), len(first.failed)) == (["posted", "posted"], 1)
        assert origin_values(second) == ["journal", "posted", "journal"]
        assert server.counts == {"POST": 4}

    async def test_what_failed_after_an_equal_item_had_ended_needs_no_check(
        self, tmp_path: Path
    ) -> None:
        async with RawServer(post=[NO, NO, created()], get=listed()) as server:

            async def one_after_the_other() -> AsyncIterator[NewRestream]:
                yield NEW
                await until(lambda: bool(run.counts.failed))
                yield NEW

            async with (
                leak_checked_client(server) as client,
                client.create_many(one_after_the_other(), journal=tmp_path / "run.db") as run,
            ):
                first = await run.report()
            second = await run_again(server, [NEW], tmp_path / "run.db")

        assert len(first.failed) == 2
        assert origin_values(second) == ["posted"]
        assert server.order == "POST POST POST"

    async def test_what_failed_after_doubt_is_checked_first(self, tmp_path: Path) -> None:
        """It may have been stored after the last check."""
        late = listed(on_the_wire(NEW, 9))
        async with RawServer(post=INTERNAL_ERROR, get=[listed(), listed(), late]) as server:
            async with leak_checked_client(server, attempts=1) as client:
                first = await client.create_all([NEW], journal=tmp_path / "run.db")
            second = await run_again(server, [NEW], tmp_path / "run.db")

        assert type(first.failed[0].error) is InternalServerError
        assert origin_values(second) == ["confirmed"]
        assert server.counts["POST"] == 1

    async def test_the_same_again_is_reported_as_existing(self, tmp_path: Path) -> None:
        async with Sandbox() as sandbox:
            report = await run_again(sandbox, [NEW, NEW, NEW], tmp_path / "run.db")

        assert sorted(origin_values(report)) == ["existing", "existing", "posted"]
        assert len(sandbox.stored) == 1

    async def test_a_run_that_is_left_again_and_again_creates_each_once(
        self, tmp_path: Path
    ) -> None:
        journal = tmp_path / "run.db"
        requests = many(60)
        async with Sandbox(faults=Faults.demo(), seed=3, latency=0.001) as sandbox:
            for step in (3, 11, 17, 29):
                async with leak_checked_client(sandbox, attempts=9, max_in_flight=8) as client:
                    async with client.create_many(requests, journal=journal) as run:
                        for _ in range(step):
                            await anext(run)
                    await assert_nothing_left(client)
            await sandbox.settle()
            async with leak_checked_client(sandbox, attempts=9) as client:
                outcomes = await client.create_all(requests, journal=journal)

        assert len(outcomes.created) == 60
        assert sandbox.duplicates() == ()
        assert len(sandbox.stored) == 60

    async def test_two_runs_cannot_use_one_journal(self, tmp_path: Path) -> None:
        async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
            async with client.create_many([NEW], journal=tmp_path / "run.db"):
                with pytest.raises(JournalError, match="in use"):
                    await client.create_all([NEW], journal=tmp_path / "run.db")
            await assert_nothing_left(client)

    async def test_a_journal_that_cannot_be_written_any_more_stops_the_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from restream_async._journal.journal import Journal  # noqa: PLC0415

        begin = Journal.begin

        async def full(self: Journal, *fingerprints: str, **options: bool) -> Any:  # noqa: ANN401 - entries
            if seen:
                raise JournalError("the disk is full")
            seen.extend(fingerprints)
            return await begin(self, *fingerprints, **options)

        seen: list[str] = []
        monkeypatch.setattr(Journal, "begin", full)
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(JournalError, match="the disk is full"):
                await client.create_all(many(500), journal=tmp_path / "run.db")
            await assert_nothing_left(client)

        # Nothing was sent without an intent on the disk.
        assert sandbox.counts.posts == len(seen) < 500

    async def test_its_file_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        async with Sandbox() as sandbox:
            await run_again(sandbox, [NEW], tmp_path / "run.db")

        assert (tmp_path / "run.db").stat().st_mode & 0o077 == 0

    async def test_cancelling_a_run_at_any_moment_loses_nothing(self, tmp_path: Path) -> None:
        requests = many(8)
        async with Sandbox(latency=0.001) as sandbox:
            for turn in range(12):
                async with leak_checked_client(sandbox, max_in_flight=2) as client:
                    run = asyncio.create_task(
                        client.create_all(requests, journal=tmp_path / "run.db")
                    )
                    await asyncio.sleep(0.002 * turn)
                    run.cancel()
                    await asyncio.gather(run, return_exceptions=True)
                    await assert_nothing_left(client)
            report = await run_again(sandbox, requests, tmp_path / "run.db")

        assert len(report.created) == len(sandbox.stored) == 8
        assert sandbox.duplicates() == ()


async def test_only_items_in_progress_at_the_same_time_share_a_slot(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j", IDENTITY) as journal:
        adapter = JournalAdapter(journal, "existing", ensure=False)

        async def shares() -> bool:
            [slot] = await adapter.note_intents([NEW])
            return adapter.release(slot.fingerprint)

        slots = await adapter.note_intents([NEW, NEW])
        assert [adapter.release(slot.fingerprint) for slot in slots] == [True, True]
        assert not await shares()

        cancelled = asyncio.create_task(adapter.note_intents([NEW]))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert not await shares()

        journal.end(slots[0].fingerprint, 0, State.CREATED, restream_id=7)
        [slot] = await adapter.note_intents([NEW])
        assert slot.known_outcome(0, NEW) is not None
        assert not await shares()
