"""Events of the platform on the stream: each becomes commands, which count under the one cap."""

from collections.abc import Sequence
from typing import Final

from restream_async.worker.handling import Handled, Refused
from restream_async.worker.publishing import Publisher, UnpublishedError
from restream_async.worker.webhooks import Destination, UnusableEventError, restreams_for

_AGAIN: Final = 5.0


async def commands_for(
    data: bytes, destinations: Sequence[Destination], publisher: Publisher
) -> Handled:
    """Publish the commands that an event asks for, and say what is to become of the event.

    The platform repeats events for longer than the stream knows its messages: so their commands
    look first.
    """
    try:
        wanted = restreams_for(data, destinations)
    except UnusableEventError as error:
        return Handled(refused=(Refused(index=0, reason=str(error)),))
    try:
        await publisher.publish_all(wanted, lambda _: None, look_first=True)
    except UnpublishedError as error:
        return Handled(again=_AGAIN, reason=str(error))
    return Handled()
