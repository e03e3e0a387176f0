from __future__ import annotations

import attrs
import pytest

from restream_async.sandbox import Counts, Fault, FaultCounts, Faults, Sandbox
from tests.helpers.sandbox_client import occupied, open_client, until_in_flight


async def test_requests_are_counted_by_endpoint() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create()
        await client.create()
        await client.create(title="")
        await client.list("v1")
        await client.toggle(1)
        await client.delete(1)
        await client.delete(1)

    assert sandbox.counts == Counts(
        posts=3,
        lists=1,
        toggles=1,
        deletes=2,
        stored=1,
        shed=0,
        limited=0,
        faults=FaultCounts(before={}, after={}, late=0, listing={}, other={}),
        in_flight=0,
        max_in_flight=1,
    )


async def test_faults_are_counted_by_phase_and_kind() -> None:
    sandbox = Sandbox(faults=Faults(before={Fault.RESET: 1.0}))
    async with open_client(sandbox) as client:
        await client.outcome_of_create()
        await client.outcome_of_create()
        sandbox.faults = Faults(after={Fault.GARBAGE: 1.0}, other={Fault.INTERNAL_ERROR: 1.0})
        await client.outcome_of_create()
        await client.toggle(1)
        sandbox.faults = Faults(late=1.0, late_by=0, listing={Fault.INTERNAL_ERROR: 1.0})
        await client.outcome_of_create()
        await client.list("v1")

    faults = sandbox.counts.faults
    assert faults.before == {Fault.RESET: 2}
    assert faults.after == {Fault.GARBAGE: 1}
    assert faults.other == {Fault.INTERNAL_ERROR: 1}
    assert faults.late == 1
    assert faults.listing == {Fault.INTERNAL_ERROR: 1}
    assert faults.total == 6


async def test_requests_in_flight_are_counted_and_their_highest_number_is_kept() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        async with occupied(sandbox, count=3):
            await client.create()
            assert (sandbox.counts.in_flight, sandbox.counts.max_in_flight) == (3, 4)
        await until_in_flight(sandbox, 0)
        await client.create()
        assert sandbox.counts.max_in_flight == 4


async def test_a_snapshot_stays_as_it_was_taken() -> None:
    sandbox = Sandbox(faults=Faults(before={Fault.INTERNAL_ERROR: 1.0}))
    async with open_client(sandbox) as client:
        before = sandbox.counts
        await client.create()

    assert (before.posts, before.faults.total) == (0, 0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        before.posts = 1  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
