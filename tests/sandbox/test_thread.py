"""A sandbox with an event loop in a thread of its own."""

import asyncio
import threading

import pytest

from restream_async import NewRestream
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.clients import client_of

# A sandbox that is broken would hang.
pytestmark = pytest.mark.timeout(30)

NEW = NewRestream(
    video_id="v", title="t", stream_url="rtmp://h.example/a", stream_key="key-1", status=True
)


def test_changes_from_another_thread_take_effect_at_once() -> None:
    with Sandbox(faults=Faults(late=1.0, late_by=0.05)) as sandbox:
        sandbox.capacity, sandbox.queue, sandbox.rate_limit, sandbox.burst = 1, 2, 3.0, 4
        assert (sandbox.capacity, sandbox.queue) == (1, 2)
        assert (sandbox.rate_limit, sandbox.burst) == (3.0, 4)
        sandbox.latency = lambda _: 0.01 * sandbox.counts.in_flight
        sandbox.rate_limit = None

        async def create() -> None:
            async with client_of(sandbox, in_doubt="resend") as client:
                sandbox.faults = once = Faults(late=1.0, late_by=0.05, max_faults=1)
                assert sandbox.faults is once
                await client.create(NEW)
            await sandbox.settle()

        asyncio.run(create())
        assert len(sandbox.duplicates()[0]) == 2

    assert len(sandbox.stored) == 2, "it still tells"


def test_a_taken_port_is_an_error_and_leaves_no_thread() -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        threads = threading.active_count()
        with pytest.raises(OSError, match="address already in use"), Sandbox(port=port):
            pass
        assert threading.active_count() == threads
