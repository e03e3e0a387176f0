"""The core of a worker for any message broker: bytes and a delivery count in, a decision out.

    handler = MessageHandler(client)
    handled = await handler.handle(data, delivery=1)

`handled.verdict` says what the consumer tells its broker: "done" (acknowledge), "retry" (deliver
again after `handled.delay` seconds) or "dead" (a dead letter, with the reasons in `handled.dead`).
No broker is imported here.
"""

from restream_async.handling.message_handler import DeadItem, Handled, MessageHandler

__all__ = ["DeadItem", "Handled", "MessageHandler"]
