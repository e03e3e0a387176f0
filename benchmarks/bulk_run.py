"""A bulk run of this library without failures, for the benchmarks that measure its cost."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.inputs import restreams
from benchmarks.service import Address
from benchmarks.terms import IN_FLIGHT
from restream_async import RestreamClient


async def create(
    address: Address,
    count: int,
    *,
    clock: Callable[[], float],
    in_flight: int = IN_FLIGHT,
    journal: Path | None = None,
) -> float:
    """Create so many restreams with default settings; return the seconds on the clock.

    Raises:
        AssertionError: not all were created.

    """
    async with RestreamClient(
        base_url=address.base_url,
        project_id=address.project_id,
        api_key=address.api_key,
        max_in_flight=in_flight,
    ) as client:
        began = clock()
        async with client.create_many(restreams(count), journal=journal) as run:
            async for _ in run:
                pass
        if run.counts.created != count:
            raise AssertionError(f"the service creates everything, but: {run.counts}")
        return clock() - began
