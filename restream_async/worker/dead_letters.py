"""Private: dead letters, and what can be done with them: retried or dropped.

The command of a dead letter lies in a stream of its own (see `streams`), because it holds a stream
key. A retry moves it back to the stream of commands. Its steps are in an order in which an
interruption loses nothing: publish, remove the kept command, remove the dead letter. After an
interruption the same command may be published again. The stream drops it, or the worker finds the
restream by the existence check that the message asks for.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from restream_async._util.redaction import clean
from restream_async.worker.command_publishing import CommandStream
from restream_async.worker.nats_connection import jetstream_setup
from restream_async.worker.stream_reading import json_object, read_stream
from restream_async.worker.subjects import Subjects

_GIVEN_UP: Final = (
    "the NATS server gave up message {stream_seq} of its stream after {deliveries} deliveries; the "
    "message is still there"
)
_LONGEST_ID: Final = 200
# Seconds for one command. It is short, because a stop signal waits for it.
_TIMEOUT: Final = 5.0


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A dead letter, without secrets.

    Attributes:
        copies: the numbers of its copies in the stream of dead letters. After the death of a worker
            a dead letter may be there twice.
        time: when the stream got it.
        subject: the subject of its command, if that is kept.
        body: what a worker wrote of it.
        can_be_retried: whether its command is kept.

    """

    copies: tuple[int, ...]
    time: datetime
    subject: str
    body: Mapping[str, Any]
    can_be_retried: bool = False

    @property
    def id(self) -> int:
        """The number of the first copy."""
        return self.copies[0]

    @property
    def reason(self) -> str:
        """Why the restream was not created."""
        return str(self.body.get("error", ""))


@attrs.frozen(kw_only=True)
class DeadLetters:
    """The dead letters on a NATS server.

    Attributes:
        jetstream: of an open connection.
        subjects: the names to use.

    """

    jetstream: JetStreamContext
    subjects: Subjects
    _commands: CommandStream = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda letters: CommandStream(
                jetstream=letters.jetstream,
                subject=letters.subjects.commands,
                stream=letters.subjects.stream,
                timeout=_TIMEOUT,
            ),
            takes_self=True,
        ),
    )

    async def read(self, since: datetime | None = None) -> list[DeadLetter]:
        """Return all dead letters, or those since a time.

        Raises:
            ConfigurationError: the stream does not exist, or JetStream cannot be used.

        """
        found: dict[str, DeadLetter] = {}
        stream = self.subjects.dead_stream
        async for message in read_stream(self.jetstream, stream, since=since):
            letter = self._letter(message)
            first = found.get(letter.subject)
            if first is not None:
                letter = attrs.evolve(first, copies=first.copies + letter.copies)
            found[letter.subject] = letter
        # Read last, because a command is published after its dead letter.
        kept = {
            message.subject
            async for message in read_stream(
                self.jetstream, self.subjects.dead_commands_stream, headers_only=True
            )
        }
        return [
            attrs.evolve(letter, can_be_retried=subject in kept)
            for subject, letter in found.items()
        ]

    async def retry(self, letter: DeadLetter) -> bool:
        """Put the command of a dead letter on the stream again, and remove the dead letter.

        Return false, and do nothing, if the command is not kept.

        Raises:
            UnpublishedError: the stream does not take it, or the server is away for too long.
            ConfigurationError: JetStream does not answer. The same retry can be done again.

        """
        names = self.subjects
        with jetstream_setup():
            try:
                kept = await self.jetstream.get_last_msg(names.dead_commands_stream, letter.subject)
            except nats.js.errors.NotFoundError:
                return False
        # The stream may still know the id of the first message, and would drop this one.
        first = clean(str(letter.body.get("messageId") or ""), _LONGEST_ID)
        message_id = f"{first}:retry:{letter.subject.rpartition('.')[2]}"
        await self._commands.put(kept.data or b"", message_id, check_first=True)
        await self.drop(letter)
        return True

    async def drop(self, letter: DeadLetter) -> None:
        """Remove a dead letter and its command; do nothing if they are gone.

        Raises:
            ConfigurationError: JetStream does not answer. The same can be done again.

        """
        names = self.subjects
        with jetstream_setup():
            # A dead letter without a command is seen and can be dropped. A command without its
            # dead letter would stay unseen, with its stream key.
            await self.jetstream.purge_stream(names.dead_commands_stream, subject=letter.subject)
            for sequence in letter.copies:
                await self._delete(sequence)

    async def _delete(self, sequence: int) -> None:
        stream = self.subjects.dead_stream
        try:
            await self.jetstream.delete_msg(stream, sequence)
        except nats.js.errors.APIError:
            # The server has several errors for a message that does not exist.
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await self.jetstream.get_msg(stream, sequence)
                raise

    def _letter(self, message: Msg) -> DeadLetter:
        about = message.metadata
        body = json_object(message.data)
        if message.subject != self.subjects.dead:
            # A note of the server about a message that no worker has ended.
            body = {"error": _GIVEN_UP.format(**{"stream_seq": "?", "deliveries": "many", **body})}
        message_id = (message.headers or {}).get("Nats-Msg-Id") or str(about.sequence.stream)
        return DeadLetter(
            copies=(about.sequence.stream,),
            time=about.timestamp,
            subject=self.subjects.dead_command(message_id),
            body=body,
        )
