"""The pull loop of one slot: fetch one message, process it, fetch the next one.

A fetch that times out can cross the message that the server sends for it. Then a second message
arrives while the first one is processed. It waits in the queue of the subscription, where nothing
extends its lease: it may be too old to be worked on. The staleness guard below drops it then.

nats-py can fetch batches too, but they do not fit: a message that waits in memory grows old, the
server delivers it to another worker, and the restream is created twice.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.tasks import unless_set

# A server that was restarted has forgotten the fetches that wait, so none may wait for long.
_FETCH_SECONDS: Final = 2.0
_ERROR_PAUSE: Final = 1.0

_log: Final = logging.getLogger("restream_async.worker")


async def run_slot(
    subscription: JetStreamContext.PullSubscription,
    process: Callable[[Msg, float], Awaitable[None]],
    *,
    stopping: asyncio.Event,
    ack_wait: float,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Process one message after the other until the worker stops.

    Args:
        subscription: of this slot alone.
        process: gets a message, and the seconds for which the message may have been here already.
        stopping: is set when the worker stops.
        ack_wait: seconds after which the server delivers an unacknowledged message again.
        now: a monotonic clock, in seconds.

    """
    queued = 0
    queue_was_empty = now()
    while not stopping.is_set():
        message = await unless_set(stopping, _fetch(subscription))
        if message is None:
            queued = 0
            continue
        started = now()
        # All that is known of a queued message: it came after the queue was last empty.
        age = started - queue_was_empty if queued else 0.0
        queued = max(0, queued - 1)
        if age > ack_wait / 2:
            _log.info("dropped a message that waited for up to %.1f s: it comes again", age)
            continue
        if not queued:
            queue_was_empty = started
        await process(message, age)
        queued = subscription.pending_msgs
    # Otherwise the server could still send a message for the last fetch, and nothing handles it.
    with contextlib.suppress(*NATS_ERRORS):
        await subscription.unsubscribe()


async def _fetch(subscription: JetStreamContext.PullSubscription) -> Msg | None:
    try:
        return (await subscription.fetch(1, _FETCH_SECONDS))[0]
    except TimeoutError:
        return None
    except NATS_ERRORS:
        # For example the consumer was deleted; the worker notices that elsewhere.
        await asyncio.sleep(_ERROR_PAUSE)
        return None
