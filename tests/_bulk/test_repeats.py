"""Equal restreams in one input, in a run without a journal."""

from __future__ import annotations

from typing import Final

import pytest

from restream_async._bulk.repeats import RecentItems
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.bulk_inputs import NO, origin_values
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import created, listed, many, new_restream

NEW: Final = new_restream()


class TestRepeats:
    @pytest.mark.parametrize("between", [0, 1, 20])
    @pytest.mark.parametrize("max_in_flight", [1, 64])
    async def test_a_repeated_item_is_existing_at_any_distance(
        self, between: int, max_in_flight: int
    ) -> None:
        requests = [NEW, *many(between, first=100), NEW]
        async with (
            Sandbox() as sandbox,
            leak_checked_client(sandbox, max_in_flight=max_in_flight) as client,
        ):
            report = await client.create_all(requests)

        assert origin_values(report) == ["posted"] * (between + 1) + ["existing"]
        assert report.created[0].restream == report.created[-1].restream
        assert sandbox.counts.posts == len(sandbox.stored) == between + 1

    async def test_the_same_again_after_a_failure_is_created(self) -> None:
        async with (
            RawServer(post=[NO, created(NEW)], get=listed()) as server,
            leak_checked_client(server, max_in_flight=1) as client,
        ):
            report = await client.create_all([NEW, NEW])

        assert [failed.index for failed in report.failed] == [0]
        assert origin_values(report) == ["posted"]
        assert server.order == "POST GET POST"

    async def test_another_run_creates_it_again(self) -> None:
        """Only one run is what is meant to be in one input."""
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            for _ in range(2):
                assert origin_values(await client.create_all([NEW])) == ["posted"]

    def test_the_latest_are_surely_known_again_and_the_oldest_are_let_go(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("restream_async._bulk.repeats.REMEMBERED", 10)
        items = many(25)
        recent = RecentItems()
        assert not any(recent.has(item) for item in items)
        assert all(recent.has(item) for item in items[-10:])
        assert not recent.has(items[0])

    async def test_the_same_again_can_be_created_again(self) -> None:
        async with Sandbox(latency=0.002) as sandbox, leak_checked_client(sandbox) as client:
            report = await client.create_all([NEW, NEW, NEW], repeats="create")

        assert origin_values(report) == ["posted"] * 3
        assert len({outcome.restream.id for outcome in report.created}) == 3
        assert len(sandbox.stored) == 3

    async def test_the_same_again_is_not_taken_for_the_first_one_after_doubt(self) -> None:
        """A check finds the first copy; the second item must not adopt it."""
        faults = Faults(before={Fault.RESET: 0.5}, after={Fault.RESET: 0.4}, max_faults=3)
        async with (
            Sandbox(faults=faults, seed=4) as sandbox,
            leak_checked_client(sandbox, attempts=9) as c,
        ):
            report = await c.create_all([NEW] * 6, repeats="create")

        ids = [outcome.restream.id for outcome in report.created]
        assert len(ids) == len(set(ids)) == len(sandbox.stored) == 6
