"""Copies that a service stores late: reported, and deleted if asked to; with a real client."""

from __future__ import annotations

from typing import Final

from restream_async.sandbox import Faults, Sandbox
from tests.helpers.bulk_inputs import origin_values
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    created,
    envelope,
    listed,
    many,
    new_restream,
    on_the_wire,
)

NEW: Final = new_restream()


class TestReconciliation:
    """A slow service may store what it has given up answering."""

    async def test_copies_that_turn_up_late_are_reported(self) -> None:
        late = [on_the_wire(NEW, 8), on_the_wire(NEW, 7)]
        async with (
            RawServer(
                post=[INTERNAL_ERROR, created(NEW, 7)], get=[listed(), listed(*late)]
            ) as server,
            leak_checked_client(server) as client,
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
            leak_checked_client(sandbox, attempts=9) as client,
        ):
            report = await client.create_all(many(30), repair=True)

        assert len(report.created) == 30
        assert sandbox.duplicates() == ()
        assert {outcome.restream.id for outcome in report.created} == {
            stored.id for stored in sandbox.stored
        }

    async def test_what_was_there_before_is_never_deleted(self) -> None:
        """No check showed that it did not exist, so the other copy may not be the run's own."""
        both = listed(on_the_wire(NEW, 1), on_the_wire(NEW, 2))
        async with (
            RawServer(post=INTERNAL_ERROR, get=both) as server,
            leak_checked_client(server) as client,
        ):
            report = await client.create_all([NEW], repair=True)

        assert origin_values(report) == ["confirmed"]
        [duplicate] = report.duplicates
        assert (duplicate.kept, duplicate.extra, duplicate.deleted) == (1, (2,), ())
        assert "DELETE" not in server.counts

    async def test_what_was_reported_as_failed_and_exists_after_all_is_reported(self) -> None:
        late = listed(on_the_wire(NEW, 8))
        async with (
            RawServer(post=INTERNAL_ERROR, get=[listed(), late]) as server,
            leak_checked_client(server, attempts=1) as client,
        ):
            report = await client.create_all([NEW])

        assert len(report.failed) == 1
        [duplicate] = report.duplicates
        assert (duplicate.kept, duplicate.reported_failed) == (8, True)

    async def test_what_cannot_be_checked_again_is_counted(self) -> None:
        looks = [listed(), answer(b"", "403 Forbidden")]
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=looks) as server,
            leak_checked_client(server) as client,
        ):
            report = await client.create_all([NEW])

        assert (report.unchecked, report.duplicates) == (1, ())

    async def test_a_video_that_is_gone_has_no_copies(self) -> None:
        looks = [listed(), answer(b"", "404 Not Found")]
        async with (
            RawServer(post=[INTERNAL_ERROR, created()], get=looks) as server,
            leak_checked_client(server) as client,
        ):
            report = await client.create_all([NEW])

        assert (report.unchecked, report.duplicates) == (0, ())

    async def test_a_run_without_doubt_checks_nothing(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            await client.create_all(many(5))

        assert sandbox.counts.lists == 0


async def test_a_denied_deletion_is_no_repair() -> None:
    """The extra copy is reported, and not called deleted."""
    late = [on_the_wire(NEW, 8), on_the_wire(NEW, 7)]
    async with (
        RawServer(
            post=[INTERNAL_ERROR, created(NEW, 7)],
            get=[listed(), listed(*late)],
            delete=answer(envelope(result=False)),
        ) as server,
        leak_checked_client(server) as client,
    ):
        report = await client.create_all([NEW], repair=True)

    [duplicate] = report.duplicates
    assert (duplicate.extra, duplicate.deleted) == ((8,), ())
    assert [seen.path for seen in server.requests if seen.method == "DELETE"] == [
        "/api/v1/p1/restreams/8"
    ]
