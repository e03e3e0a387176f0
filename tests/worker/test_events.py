"""What becomes of an event on the stream."""

from typing import Any

from restream_async.worker.destinations import Destination
from restream_async.worker.events import publish_commands
from restream_async.worker.publishing import UnpublishedError

DESTINATIONS = (Destination(title="t", stream_url="rtmp://h/a", stream_key="SECRET"),)
EVENT = b'{"eventType": "live.video.created", "data": {"PublicId": "v5"}}'


class Failing:
    async def publish_all(self, *_: object, **__: object) -> None:
        raise UnpublishedError("the stream is full")


async def test_an_event_whose_commands_cannot_be_published_is_delivered_again() -> None:
    failing: Any = Failing()

    handled = await publish_commands(EVENT, DESTINATIONS, failing)

    assert (handled.delay, handled.reason) == (5.0, "the stream is full")
