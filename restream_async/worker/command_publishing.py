"""Publishing restreams to the stream of commands, each confirmed and each only once.

The id of a message is a keyed hash of what identifies a restream: video, stream URL and stream key.
The server drops a message with an id that it knows, so a publisher that was interrupted is simply
run again. The server knows an id for two hours (`streams.DUPLICATE_WINDOW`), and forgets the ids of
acknowledged messages when it is restarted. So workers check before they create.

Ids appear in outcomes, dead letters and traces long after the message is gone. Without a key,
anyone who guesses a stream key could check the guess against an id. The key is a salt in the
settings of the stream: all publishers share it without knowing the API key, and readers of outcomes
cannot see it.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from restream_async._operations.existence import key_of
from restream_async._telemetry import Telemetry, default_telemetry
from restream_async._util.parallel import run_in_tasks
from restream_async.handling.command_messages import encode
from restream_async.models import NewRestream
from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.subjects import CHECK_FIRST

_CONCURRENCY: Final = 256
_CONFIRM_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.5
# The error code of a cluster that is electing a leader.
_NO_LEADER: Final = 10008


@attrs.frozen(kw_only=True)
class Published:
    """A restream that is on the stream.

    Attributes:
        message_id: the id of its message, which outcomes and dead letters repeat.
        is_new: false if the stream had it already.

    """

    message_id: str
    is_new: bool


class UnpublishedError(Exception):
    """A restream could not be published; the text says why and holds no secret."""


@attrs.frozen(kw_only=True)
class CommandStream:
    """Puts commands on a stream.

    Attributes:
        jetstream: of an open connection.
        subject: the subject of commands.
        stream: the stream that must take them.
        timeout: seconds for one command, in which an unreachable server may come back.

    """

    jetstream: JetStreamContext
    subject: str
    stream: str
    timeout: float = 120.0
    _telemetry: Telemetry = attrs.field(factory=default_telemetry, init=False)

    async def put(self, data: bytes, message_id: str, *, check_first: bool) -> bool:
        """Put a command on the stream, and wait until it is there; return whether it is new.

        Args:
            data: the command.
            message_id: its id; the stream drops it if it knows the id.
            check_first: whether workers that trust the stream make an existence check, too.

        Raises:
            UnpublishedError: the stream does not take it, or the server is away for too long.

        """
        headers = {"Nats-Msg-Id": message_id, **({CHECK_FIRST: "1"} if check_first else {})}
        with self._telemetry.sending(self.subject):
            self._telemetry.inject(headers)
            try:
                async with asyncio.timeout(self.timeout):
                    while (is_new := await self._attempt(data, headers)) is None:  # noqa: ASYNC110 - no event tells it
                        await asyncio.sleep(_RETRY_SECONDS)
                    return is_new
            except TimeoutError:
                problem = f"the NATS server has not answered for {self.timeout:g} s"
            raise UnpublishedError(problem)

    async def _attempt(self, data: bytes, headers: dict[str, str]) -> bool | None:
        """Publish once; return whether the message is new, or None if the server did not answer.

        The stream may have a message without an answer too. Then it drops the next attempt.
        """
        try:
            ack = await self.jetstream.publish(
                self.subject,
                data,
                timeout=_CONFIRM_SECONDS,
                stream=self.stream,
                headers=dict(headers),
            )
        except nats.js.errors.NoStreamResponseError:
            # No stream listens, which is normal for a moment after a restart.
            return None
        except nats.js.errors.APIError as error:
            if error.err_code == _NO_LEADER:
                return None
            problem = f"the stream {self.stream} does not take it: {error.description}"
        except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError) as error:
            problem = f"it cannot be published: {str(error).removeprefix('nats: ')}"
        except NATS_ERRORS:
            return None
        else:
            return not ack.duplicate
        raise UnpublishedError(problem)


@attrs.frozen(kw_only=True)
class Publisher(CommandStream):
    """Publishes restreams to a stream.

    Attributes:
        salt: what `declare_streams` returned.

    """

    salt: bytes = attrs.field(repr=False)

    def message_id(self, new: NewRestream) -> str:
        """Return the id of the message that asks for a restream."""
        data = json.dumps(key_of(new)).encode()
        return hashlib.blake2b(data, key=self.salt, digest_size=16).hexdigest()

    async def publish(self, new: NewRestream, *, check_first: bool = False) -> Published:
        """Publish one restream, and wait until the stream has it.

        Args:
            new: the restream.
            check_first: whether it may exist already, from longer ago than the stream remembers.

        Raises:
            UnpublishedError: the stream does not take it, or the server is away for too long.

        """
        message_id = self.message_id(new)
        is_new = await self.put(encode(new), message_id, check_first=check_first)
        return Published(message_id=message_id, is_new=is_new)

    async def publish_all(
        self,
        restreams: Iterable[NewRestream],
        on_published: Callable[[Published], object] = lambda _: None,
        *,
        check_first: bool = False,
    ) -> None:
        """Publish many, in any order.

        Args:
            restreams: what to publish.
            on_published: gets each as soon as the stream has it.
            check_first: as in `publish`.

        Raises:
            UnpublishedError: one could not be published, and the others were stopped. Some of them
                may be on the stream; publishing them again does no harm.

        """
        items = iter(restreams)

        async def publish_next() -> None:
            for new in items:
                on_published(await self.publish(new, check_first=check_first))

        await run_in_tasks(publish_next, _CONCURRENCY)
