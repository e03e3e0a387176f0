"""What `restream_async.testing` offers to the tests of others."""

from restream_async import NewRestream, RestreamClient
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.testing import instant_timing, restream_client, restream_sandbox

__all__ = ["restream_client", "restream_sandbox"]

NEW = NewRestream(
    video_id="v", title="t", stream_url="rtmp://h.example/a", stream_key="key-1", status=True
)


async def test_the_client_belongs_to_the_sandbox_and_its_retries_never_wait(
    restream_client: RestreamClient, restream_sandbox: Sandbox
) -> None:
    restream_sandbox.faults = Faults(
        before={Fault.BACKEND_FETCH_FAILED: 1.0}, retry_after="5", max_faults=4
    )
    restream = await restream_client.create(NEW)
    assert [item.id for item in restream_sandbox.stored] == [restream.id]
    assert restream_sandbox.counts.posts == 5


async def test_time_passes_in_sleep_alone_and_chance_repeats_itself() -> None:
    timing, other = instant_timing(7), instant_timing(7)
    assert timing.now() == 0.0
    await timing.sleep(90.0)
    assert (timing.now(), timing.wall_clock()) == (90.0, 90.0)
    assert [timing.random() for _ in range(3)] == [other.random() for _ in range(3)]
