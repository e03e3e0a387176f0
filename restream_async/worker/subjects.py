"""The names of streams, consumers and subjects on the NATS server. Needs no library of NATS."""

import os
import re
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
"""The variables of NATS's own command line, with RESTREAM_ in front."""

CHECK_FIRST: Final = "Restream-Check-First"
"""The header of a command that may have been carried out before. Even its first delivery gets a
fresh existence check, also from workers that trust the stream."""

_NOT_IN_A_WORD: Final = re.compile(r"[^\w:-]")
"""Characters that would change where a subject ends, or make it a pattern."""


def nats_variables() -> dict[str, str]:
    """Return the variables that are set, by the names of the fields of `NatsOptions`."""
    names = {"url": URL_VARIABLE, **FILE_VARIABLES}
    return {name: found for name, variable in names.items() if (found := os.environ.get(variable))}


@attrs.frozen(kw_only=True)
class Subjects:
    """The names of streams, consumers and subjects on the NATS server.

    Attributes:
        stream: the stream of commands. The streams of outcomes and dead letters derive their names
            from it.
        commands: the subject of commands.
        consumer: the durable consumer that all workers share. The consumer of events derives its
            name from it.
        events: the subject of the platform's events.
        outcomes: the subject of outcomes.
        dead: the subject of dead letters.

    """

    stream: str = "RESTREAMS"
    commands: str = "restreams.commands"
    consumer: str = "restream-workers"
    events: str = "restreams.events"
    outcomes: str = "restreams.outcomes"
    dead: str = "restreams.dead"

    @property
    def events_consumer(self) -> str:
        """The durable consumer of events."""
        return f"{self.consumer}-events"

    @property
    def outcomes_stream(self) -> str:
        """The stream that keeps outcomes."""
        return f"{self.stream}_OUTCOMES"

    @property
    def dead_stream(self) -> str:
        """The stream that keeps dead letters."""
        return f"{self.stream}_DEAD"

    @property
    def dead_commands_stream(self) -> str:
        """The stream that keeps the commands of dead letters, with their stream keys."""
        return f"{self.stream}_DEAD_COMMANDS"

    @property
    def dead_commands(self) -> str:
        """The subjects of the commands of dead letters, as a pattern."""
        return f"{self.commands}.dead.*"

    def dead_command(self, message_id: str) -> str:
        """Return the subject of the command of a dead letter, by the id of the dead letter."""
        return f"{self.commands}.dead.{_NOT_IN_A_WORD.sub('_', message_id)}"
