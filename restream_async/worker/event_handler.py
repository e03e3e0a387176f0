"""Events of the platform on the stream: each becomes commands on the same stream, or changes."""

from collections.abc import Sequence
from typing import Final

import attrs

from restream_async.changes import Action
from restream_async.destinations import Destination
from restream_async.handling.command_messages import Unusable
from restream_async.handling.message_handler import DeadItem, Handled, MessageHandler
from restream_async.handling.redelivery import MOST_DELIVERIES, is_permanent
from restream_async.worker.command_publishing import Publisher, UnpublishedError
from restream_async.worker.event_actions import EventClient, change_existing
from restream_async.worker.event_rules import DEFAULT_RULES, Rule
from restream_async.worker.platform_events import Task, UnusableEventError, task_of

_RETRY_SECONDS: Final = 5.0


@attrs.frozen(kw_only=True)
class EventHandler:
    """Processes events.

    Attributes:
        destinations: where live videos are pushed to.
        rules: what to do for which event.
        messages: processes messages with the same client, and knows when to hold them.
        client: enables, disables and deletes restreams.
        publisher: puts commands on the stream.

    """

    destinations: Sequence[Destination]
    rules: Sequence[Rule] = DEFAULT_RULES
    messages: MessageHandler
    client: EventClient
    publisher: Publisher

    async def handle(self, data: bytes, delivery: int) -> Handled:
        """Do what an event asks for, and return how the event was handled.

        While the service cannot be reached or refuses the key, the event is held, as messages are.

        Args:
            data: the event as JSON.
            delivery: the number of this delivery of the event, from 1.

        """
        try:
            task = task_of(data, self.destinations, self.rules)
        except UnusableEventError as error:
            return Handled(dead=(DeadItem(index=0, reason=str(error)),))
        if task is None:
            return Handled()
        if task.action is not Action.CREATE:
            return await self._change(task, delivery)
        try:
            # The platform repeats events for longer than the stream remembers messages.
            await self.publisher.publish_all(task.wanted, check_first=True)
        except UnpublishedError as error:
            return _again(task, str(error), delivery)
        return Handled()

    async def _change(self, task: Task, delivery: int) -> Handled:
        messages = self.messages
        while not messages.stopping():
            failures = await change_existing(self.client, task)
            for_now = next((error for error in failures if not is_permanent(error)), None)
            if await messages.hold(for_now):
                continue
            if for_now is not None:
                return _again(task, messages.error_text(for_now), delivery)
            return _dead(task, *map(messages.error_text, failures))
        return Handled(delay=0.0, reason="the worker stops")


def _again(task: Task, reason: str, delivery: int) -> Handled:
    # Later, the server would drop the event without a word.
    if delivery >= MOST_DELIVERIES:
        return _dead(task, f"given up after {delivery} deliveries: {reason}")
    return Handled(delay=_RETRY_SECONDS, reason=reason)


def _dead(task: Task, *reasons: str) -> Handled:
    return Handled(
        dead=tuple(
            DeadItem(index=index, reason=reason, item=Unusable(reason, task.video_id))
            for index, reason in enumerate(reasons)
        )
    )
