"""A Varnish that keeps lists for a while: what it has kept is not taken for what there is."""

from collections import Counter

from restream_async import Created
from restream_async._operations.existence import key_of
from restream_async.sandbox import Fault, Faults
from tests.helpers.varnish_clients import new
from tests.real.conftest import Staging


async def test_nothing_is_created_twice_behind_a_cache_that_keeps_lists(staging: Staging) -> None:
    wanted = [new(f"v{number % 20}", key=f"key-{number}") for number in range(400)]
    async with staging(cache_seconds=2) as scene, scene.client() as client:
        scene.sandbox.faults = Faults(
            before={Fault.INTERNAL_ERROR: 0.1},
            after={Fault.INTERNAL_ERROR: 0.1, Fault.RESET: 0.1},
            retry_after=None,
        )
        # Kept by the cache from here on, and empty.
        for number in range(20):
            assert await client.list(f"v{number}") == []
        report = await client.create_all(wanted)
        copies = Counter(
            (item.video_id, item.stream_url, item.stream_key) for item in scene.sandbox.stored
        )

    assert copies == Counter(key_of(item) for item in wanted)
    assert len([item for item in report.created if isinstance(item, Created)]) == len(wanted)
    assert report.unchecked == 0
    assert report.duplicates == ()
