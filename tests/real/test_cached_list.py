"""A Varnish that caches lists: a cached list does not count as a check."""

from collections import Counter

from restream_async import Created
from restream_async._operations.existence import key_of
from restream_async.sandbox import Fault, Faults
from tests.helpers.varnish_clients import new
from tests.real.conftest import OpenVarnishSetup


async def test_nothing_is_created_twice_behind_a_cache_that_keeps_lists(
    varnish_setup: OpenVarnishSetup,
) -> None:
    wanted = [new(f"v{number % 20}", key=f"key-{number}") for number in range(400)]
    async with varnish_setup(cache_seconds=2) as setup, setup.client() as client:
        setup.sandbox.faults = Faults(
            before={Fault.INTERNAL_ERROR: 0.1},
            after={Fault.INTERNAL_ERROR: 0.1, Fault.RESET: 0.1},
            retry_after=None,
        )
        # From here on the cache has an empty list.
        for number in range(20):
            assert await client.list(f"v{number}") == []
        report = await client.create_all(wanted)
        copies = Counter(
            (item.video_id, item.stream_url, item.stream_key) for item in setup.sandbox.stored
        )

    assert copies == Counter(key_of(item) for item in wanted)
    assert len([item for item in report.created if isinstance(item, Created)]) == len(wanted)
    assert report.unchecked == 0
    assert report.duplicates == ()


async def test_a_status_is_set_behind_a_cache_that_keeps_lists(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(cache_seconds=60) as setup, setup.client() as client:
        restream = await client.create(new("v1"))
        await client.list("v1")
        off = await client.set_status(restream, on=False)
        # The cache still has a list in which it is on.
        on = await client.set_status(restream, on=True)
        assert (off.status, on.status) == (False, True)
        assert setup.sandbox.counts.toggles == 2
