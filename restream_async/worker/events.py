"""Events of the platform on the stream: each becomes commands on the same stream."""

from collections.abc import Sequence
from typing import Final

from restream_async.worker.destinations import Destination, UnusableEventError, restreams_for
from restream_async.worker.handling import DeadItem, Handled
from restream_async.worker.publishing import Publisher, UnpublishedError

_RETRY_SECONDS: Final = 5.0


async def publish_commands(
    data: bytes, destinations: Sequence[Destination], publisher: Publisher
) -> Handled:
    """Publish the commands that an event asks for, and return what becomes of the event.

    The platform repeats events for longer than the stream remembers messages, so these commands get
    an existence check.
    """
    try:
        wanted = restreams_for(data, destinations)
    except UnusableEventError as error:
        return Handled(dead=(DeadItem(index=0, reason=str(error)),))
    try:
        await publisher.publish_all(wanted, check_first=True)
    except UnpublishedError as error:
        return Handled(delay=_RETRY_SECONDS, reason=str(error))
    return Handled()
