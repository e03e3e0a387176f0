"""The core of a worker for any message broker: bytes and a delivery count in, a decision out.

    handler = MessageHandler(client)
    handled = await handler.handle(data, delivery=1)

`handled.verdict` says what the consumer tells its broker: "done" (acknowledge), "retry" (deliver
again after `handled.delay` seconds) or "dead" (a dead letter, with the reasons in `handled.dead`).
`restream_async.handling.reports` makes JSON and a line for the log of it, without secrets.

No broker is imported here. `restream_async/worker/README.md` has the rules for a consumer, under
"Other brokers", and consumers for RabbitMQ, Redis Streams and a table.
"""

from restream_async.handling.message_handler import DeadItem, Handled, MessageHandler

__all__ = ["DeadItem", "Handled", "MessageHandler"]
