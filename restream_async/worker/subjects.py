"""What things are called on the NATS server; needs none of its libraries."""

from typing import Final

import attrs

URL_VARIABLE: Final = "RESTREAM_NATS_URL"
FILE_VARIABLES: Final = {
    "credentials": "RESTREAM_NATS_CREDS",
    "nkey": "RESTREAM_NATS_NKEY",
    "ca": "RESTREAM_NATS_CA",
    "certificate": "RESTREAM_NATS_CERT",
    "key": "RESTREAM_NATS_KEY",
}
"""Called as NATS's own command line calls them, after RESTREAM_."""

LOOK_FIRST: Final = "Restream-Look-First"
"""The header of a command that may have been carried out before: it gets a fresh check even at the
first delivery, and where the stream is trusted."""


@attrs.frozen(kw_only=True)
class Subjects:
    """What things are called on the NATS server.

    Attributes:
        stream: the stream of commands; those of outcomes and dead letters are called after it.
        subject: where commands are published.
        durable: the consumer that all workers share; that of events is called after it.
        events: where events of the platform are published.
        outcomes: where outcomes are published.
        dead: where dead letters are published.

    """

    stream: str = "RESTREAMS"
    subject: str = "restreams.commands"
    durable: str = "restream-workers"
    events: str = "restreams.events"
    outcomes: str = "restreams.outcomes"
    dead: str = "restreams.dead"

    @property
    def of_events(self) -> "Subjects":
        """The same, with the subject and the consumer of events in place of those of commands."""
        return attrs.evolve(self, subject=self.events, durable=f"{self.durable}-events")

    @property
    def outcomes_stream(self) -> str:
        """The stream that keeps outcomes."""
        return f"{self.stream}_OUTCOMES"

    @property
    def dead_stream(self) -> str:
        """The stream that keeps dead letters."""
        return f"{self.stream}_DEAD"
