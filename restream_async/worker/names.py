"""What things are called on the NATS server; needs none of its libraries."""

from typing import Final

import attrs

URL_VARIABLE: Final = "RESTREAM_NATS_URL"


@attrs.frozen(kw_only=True)
class Names:
    """What things are called on the NATS server.

    Attributes:
        stream: the stream of commands; those of outcomes and dead letters are called after it.
        subject: where commands are published.
        durable: the consumer that all workers share.
        outcomes: where outcomes are published.
        dead: where dead letters are published.

    """

    stream: str = "RESTREAMS"
    subject: str = "restreams.commands"
    durable: str = "restream-workers"
    outcomes: str = "restreams.outcomes"
    dead: str = "restreams.dead"

    @property
    def outcomes_stream(self) -> str:
        """The stream that keeps outcomes."""
        return f"{self.stream}_OUTCOMES"

    @property
    def dead_stream(self) -> str:
        """The stream that keeps dead letters."""
        return f"{self.stream}_DEAD"
