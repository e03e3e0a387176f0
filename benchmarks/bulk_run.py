"""A bulk run of this library where everything goes well, for those who measure what it takes."""

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
    """Create so many, with everything else as it is by default; return what the clock counted.

    Raises:
        AssertionError: not everything went well.

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
