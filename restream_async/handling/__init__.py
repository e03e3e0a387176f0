"""The core of a worker for any message broker: bytes and a delivery count in, a decision out.

    handler = MessageHandler(client)
    handled = await handler.handle(data, delivery=1)

`handled.verdict` says what the consumer tells its broker: "done" (acknowledge), "retry" (deliver
again after `handled.delay` seconds) or "dead" (a dead letter, with the reasons in `handled.dead`).
`reports(handled, source)` are the outcomes as JSON, and `summary(handled)` is a line for the log,
both without secrets. No broker is imported here. README.md beside this file has the rules for a
consumer, and complete ones for RabbitMQ, Redis Streams and a table.
"""

from restream_async.handling.message_handler import DeadItem, Handled, MessageHandler
from restream_async.handling.reports import Report, Source, reports, summary

__all__ = ["DeadItem", "Handled", "MessageHandler", "Report", "Source", "reports", "summary"]
