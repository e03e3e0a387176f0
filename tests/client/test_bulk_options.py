"""What a bulk run can be asked for besides: to look first, to repeat, to repair, to resume."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import Created, InternalServerError, JournalError, Origin
from restream_async._bulk.input import RecentItems
from restream_async.sandbox import Fault, Faults, Sandbox
from tests._bulk.test_run import NO, by_video
from tests.helpers.client_calls import outcomes_of
from tests.helpers.leak_checks import assert_nothing_left, client_of
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    as_asked,
    created,
    envelope,
    listed,
    many,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from pathlib import Path

    from restream_async import BulkReport, NewRestream

NEW: Final = new_restream()


def origins(report: BulkReport) -> list[str]:
    return [outcome.origin.value for outcome in report.created]


async def run_again(
    server: RawServer | Sandbox, requests: list[NewRestream], journal: Path
) -> BulkReport:
    async with client_of(server) as client:
        report = await client.create_all(requests, journal=journal)
        await assert_nothing_left(client)
    return report


class TestEnsure:
    async def test_what_is_there_is_not_sent(self) -> None:
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            await client.create_all(many(3))
            report = await client.create_all(many(5), ensure=True)

        assert origins(report) == ["existing"] * 3 + ["posted"] * 2
        assert [outcome.attempts for outcome in report.created] == [0, 0, 0, 1, 1]
        assert sandbox.counts.posts == 5
        assert (report.counts.existing, report.counts.posted, report.counts.created) == (3, 2, 5)

    async def test_a_look_that_fails_is_the_outcome_and_nothing_is_sent(self) -> None:
        async with RawServer(get=INTERNAL_ERROR) as server, client_of(server) as client:
            report = await client.create_all([NEW], ensure=True)

        [failed] = report.failed
        assert type(failed.error) is InternalServerError
        assert (failed.attempts, failed.error.attempts) == (0, 5)
        assert server.counts == {"GET": 5}
        assert report.counts.failed == {"InternalServerError": 1}

    async def test_the_look_gives_back_the_place_that_was_taken_for_the_post(self) -> None:
        async with (
            Sandbox() as sandbox,
            client_of(sandbox, max_in_flight=1) as client,
            asyncio.timeout(5),
        ):
            report = await client.create_all(many(5), ensure=True)

        assert origins(report) == ["posted"] * 5


class TestRepeats:
    @pytest.mark.parametrize("between", [0, 1, 20])
    @pytest.mark.parametrize("max_in_flight", [1, 64])
    async def test_the_same_again_is_existing_however_far_apart(
        self, between: int, max_in_flight: int
    ) -> None:
        requests = [NEW, *many(between, first=100), NEW]
        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=max_in_flight) as client:
            report = await client.create_all(requests)

        assert origins(report) == ["posted"] * (between + 1) + ["existing"]
        assert report.created[0].restream == report.created[-1].restream
        assert sandbox.counts.posts == len(sandbox.stored) == between + 1

    async def test_the_same_again_after_a_failure_is_created(self) -> None:
        async with (
            RawServer(post=[NO, created(NEW)], get=listed()) as server,
            client_of(server, max_in_flight=1) as client,
        ):
            report = await client.create_all([NEW, NEW])

        assert [failed.index for failed in report.failed] == [0]
        assert origins(report) == ["posted"]
        assert server.order == "POST GET POST"

    async def test_another_run_creates_it_again(self) -> None:
        """Only one run is what is meant to be in one input."""
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            for _ in range(2):
                assert origins(await client.create_all([NEW])) == ["posted"]

    def test_the_latest_are_surely_known_again_and_the_oldest_are_let_go(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("restream_async._bulk.input.REMEMBERED", 10)
        items = many(25)
        recent = RecentItems()
        assert not any(recent.knows(item) for item in items)
        assert all(recent.knows(item) for item in items[-10:])
        assert not recent.knows(items[0])

    async def test_the_same_again_can_be_created_again(self) -> None:
        async with Sandbox(latency=0.002) as sandbox, client_of(sandbox) as client:
            report = await client.create_all([NEW, NEW, NEW], repeats="create")

        assert origins(report) == ["posted"] * 3
        assert len({outcome.restream.id for outcome in report.created}) == 3
        assert len(sandbox.stored) == 3

    async def test_the_same_again_is_not_taken_for_the_first_one_after_doubt(self) -> None:
        """A look finds the first copy; the second one must not adopt it."""
        faults = Faults(before={Fault.RESET: 0.5}, after={Fault.RESET: 0.4}, max_faults=3)
        async with Sandbox(faults=faults, seed=4) as sandbox, client_of(sandbox, attempts=9) as c:
            report = await c.create_all([NEW] * 6, repeats="create")

        ids = [outcome.restream.id for outcome in report.created]
        assert len(ids) == len(set(ids)) == len(sandbox.stored) == 6


class TestAftercare:
    """A slow service may store what it has given up answering."""

    async def test_copies_that_turn_up_late_are_reported(self) -> None:
        late = [on_the_wire(NEW, 8), on_the_wire(NEW, 7)]
        async with (
            RawServer(
                post=[INTERNAL_ERROR, created(NEW, 7)], get=[listed(), listed(*late)]
            ) as server,
            client_of(server) as client,
        ):
            report = await client.create_all([NEW])

        [duplicate] = report.duplicates
        assert (duplicate.index, duplicate.video_id) == (0, "v1")
        assert (duplicate.kept, duplicate.extra, duplicate.deleted) == (7, (8,), ())
        assert duplicate.reported_failed is False
        assert (report.unchecked, report.counts.in_doubt) == (0, 1)

    async def test_they_are_deleted_where_that_is_asked_for(self) -> None:
        faults = Faults(late=0.5, late_by=0.0, max_faults=1, retry_after=None)
        async with (
            Sandbox(faults=faults, seed=1, latency=0.001) as sandbox,
            client_of(sandbox, attempts=9) as client,
        ):
            report = await client.create_all(many(30), repair=True)

        assert len(report.created) == 30
        assert sandbox.duplicates() == ()
        assert {outcome.restream.id for outcome in report.created} == {
            stored.id for stored in sandbox.stored
        }

    async def test_what_was_there_before_is_never_deleted(self) -> None:
        """No look said that it was absent: the other copy may be somebody else's."""
        both = listed(on_the_wire(NEW, 1), on_the_wire(NEW, 2))
        async with RawServer(post=INTERNAL_ERROR, get=both) as server, client_of(server) as client:
            report = await client.create_all([NEW], repair=True)

        assert origins(report) == ["confirmed"]
        [duplicate] = report.duplicates
        assert (duplicate.kept, duplicate.extra, duplicate.deleted) == (1, (2,), ())
        assert "DELETE" not in server.counts

    async def test_what_was_reported_as_failed_and_exists_after_all_is_told(self) -> None:
        late = listed(on_the_wire(NEW, 8))
        async with (
            RawServer(post=INTERNAL_ERROR, get=[listed(), late]) as server,
            client_of(server, attempts=1) as client,
        ):
            report = await client.create_all([NEW])

        assert len(report.failed) == 1
        [duplicate] = report.duplicates
        assert (duplicate.kept, duplicate.reported_failed) == (8, True)

    async def test_what_cannot_be_looked_at_again_is_counted(self) -> None:
        looks = [listed(), answer(b"", "403 Forbidden")]
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=looks) as server,
            client_of(server) as client,
        ):
            report = await client.create_all([NEW])

        assert (report.unchecked, report.duplicates) == (1, ())

    async def test_a_video_that_is_gone_has_no_copies(self) -> None:
        looks = [listed(), answer(b"", "404 Not Found")]
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=looks) as server,
            client_of(server) as client,
        ):
            report = await client.create_all([NEW])

        assert (report.unchecked, report.duplicates) == (0, ())

    async def test_a_run_without_doubt_looks_at_nothing(self) -> None:
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            await client.create_all(many(5))

        assert sandbox.counts.lists == 0


class TestJournal:
    async def test_what_is_done_is_not_done_again(self, tmp_path: Path) -> None:
        journal = tmp_path / "run.db"
        async with Sandbox() as sandbox:
            first = await run_again(sandbox, many(20), journal)
            second = await run_again(sandbox, many(25), journal)

        assert origins(first) == ["posted"] * 20
        assert origins(second) == ["journal"] * 20 + ["posted"] * 5
        assert [outcome.attempts for outcome in second.created[:20]] == [0] * 20
        assert [outcome.restream for outcome in second.created[:20]] == [
            outcome.restream for outcome in first.created
        ]
        assert (sandbox.counts.posts, sandbox.counts.lists, len(sandbox.stored)) == (25, 0, 25)

    @staticmethod
    async def interrupted(server: RawServer, journal: Path) -> None:
        async with client_of(server) as client:
            async with client.create_many([NEW], journal=journal):
                await server.arrived()
            await assert_nothing_left(client)

    async def test_what_was_under_way_is_looked_for_first(self, tmp_path: Path) -> None:
        async with RawServer(post=then_hang(), get=listed(on_the_wire(NEW, 9))) as server:
            await self.interrupted(server, tmp_path / "run.db")
            report = await run_again(server, [NEW], tmp_path / "run.db")

        assert origins(report) == ["confirmed"]
        assert report.created[0].restream.id == 9
        assert server.counts["POST"] == 1

    async def test_what_was_under_way_and_is_absent_is_created(self, tmp_path: Path) -> None:
        async with RawServer(post=[then_hang(), created()], get=listed()) as server:
            await self.interrupted(server, tmp_path / "run.db")
            report = await run_again(server, [NEW], tmp_path / "run.db")

        assert origins(report) == ["posted"]
        assert server.order.startswith("POST GET POST")

    async def test_what_failed_is_tried_again(self, tmp_path: Path) -> None:
        async with RawServer(post=by_video(v1=[NO, created(new_restream("v1"))])) as server:
            first = await run_again(server, many(3), tmp_path / "run.db")
            second = await run_again(server, many(3), tmp_path / "run.db")

        assert (origins(first), len(first.failed)) == (["posted", "posted"], 1)
        assert origins(second) == ["journal", "posted", "journal"]
        assert server.counts == {"POST": 4}

    async def test_what_failed_after_doubt_is_looked_for_first(self, tmp_path: Path) -> None:
        """It may have been stored after the last look at it."""
        late = listed(on_the_wire(NEW, 9))
        async with RawServer(post=INTERNAL_ERROR, get=[listed(), listed(), late]) as server:
            async with client_of(server, attempts=1) as client:
                first = await client.create_all([NEW], journal=tmp_path / "run.db")
            second = await run_again(server, [NEW], tmp_path / "run.db")

        assert type(first.failed[0].error) is InternalServerError
        assert origins(second) == ["confirmed"]
        assert server.counts["POST"] == 1

    async def test_the_same_again_is_reported_as_existing(self, tmp_path: Path) -> None:
        async with Sandbox() as sandbox:
            report = await run_again(sandbox, [NEW, NEW, NEW], tmp_path / "run.db")

        assert sorted(origins(report)) == ["existing", "existing", "posted"]
        assert len(sandbox.stored) == 1

    async def test_a_run_that_is_left_again_and_again_creates_each_once(
        self, tmp_path: Path
    ) -> None:
        journal = tmp_path / "run.db"
        requests = many(60)
        async with Sandbox(faults=Faults.demo(), seed=3, latency=0.001) as sandbox:
            for step in (3, 11, 17, 29):
                async with client_of(sandbox, attempts=9, max_in_flight=8) as client:
                    async with client.create_many(requests, journal=journal) as run:
                        for _ in range(step):
                            await anext(run)
                    await assert_nothing_left(client)
            await sandbox.settle()
            async with client_of(sandbox, attempts=9) as client:
                outcomes = await client.create_all(requests, journal=journal)

        assert len(outcomes.created) == 60
        assert sandbox.duplicates() == ()
        assert len(sandbox.stored) == 60

    async def test_two_runs_cannot_use_one_journal(self, tmp_path: Path) -> None:
        async with RawServer(post=then_hang()) as server, client_of(server) as client:
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
        async with Sandbox() as sandbox, client_of(sandbox) as client:
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
                async with client_of(sandbox, max_in_flight=2) as client:
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


async def test_counts_can_be_read_while_it_runs() -> None:
    late = asyncio.Event()

    async def last(peer: Peer, seen: Seen) -> None:
        await late.wait()
        await as_asked(peer, seen)

    async with (
        RawServer(post=[as_asked, NO, last]) as server,
        client_of(server, max_in_flight=1) as client,
        client.create_many(many(3)) as run,
    ):
        await anext(run)
        await anext(run)
        counts = run.counts
        late.set()
        assert isinstance(await anext(run), Created)

    assert (counts.posted, counts.failed, counts.created) == (1, {"BadRequestError": 1}, 1)
    assert (run.counts.created, run.duplicates, run.unchecked) == (2, (), 0)


async def test_a_denied_deletion_is_no_repair() -> None:
    """The extra copy is reported, and not called deleted."""
    late = [on_the_wire(NEW, 8), on_the_wire(NEW, 7)]
    async with (
        RawServer(
            post=[INTERNAL_ERROR, created(NEW, 7)],
            get=[listed(), listed(*late)],
            delete=answer(envelope(result=False)),
        ) as server,
        client_of(server) as client,
    ):
        report = await client.create_all([NEW], repair=True)

    [duplicate] = report.duplicates
    assert (duplicate.extra, duplicate.deleted) == ((8,), ())
    assert [seen.path for seen in server.requests if seen.method == "DELETE"] == [
        "/api/v1/p1/restreams/8"
    ]


async def test_the_outcomes_of_a_run_say_where_they_come_from() -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=listed(on_the_wire(NEW, 7))) as server,
        client_of(server) as client,
    ):
        [outcome] = await outcomes_of(client, [NEW])

    assert isinstance(outcome, Created)
    assert outcome.origin is Origin.CONFIRMED
