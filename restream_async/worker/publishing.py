"""Putting restreams on the stream, each confirmed, and each only once.

The id of a message is a keyed fingerprint of what makes two restreams the same one: video, stream
URL and stream key. The server drops an id that it knows, so whatever ended a publisher, it is
simply run again. It knows an id for two hours (see `topology.WINDOW`), but forgets those of
acknowledged messages when it is restarted; so workers check before they create. An id stands in
outcomes, dead letters and traces long after the message is gone. Without a key, whoever guesses a
stream key could check the guess against it. The key is a salt that lies in the settings of the
stream: all publishers share it without having to know the API key, and those who may only read
outcomes cannot see it.
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
from restream_async.models import NewRestream
from restream_async.worker.commands import encode
from restream_async.worker.nats_options import UNREACHABLE
from restream_async.worker.subjects import LOOK_FIRST

# So many wait for their confirmation at once.
_UNDER_WAY: Final = 256
_CONFIRM_SECONDS: Final = 5.0
_PAUSE: Final = 0.5
# A cluster that is electing one.
_NO_LEADER: Final = 10008


@attrs.frozen(kw_only=True)
class Published:
    """A restream that is on the stream.

    Attributes:
        message_id: the id of its message, by which outcomes and dead letters name it.
        is_new: false if the stream had it already.

    """

    message_id: str
    is_new: bool


class UnpublishedError(Exception):
    """A restream could not be put on the stream; the text says why and holds no secret."""


@attrs.frozen(kw_only=True)
class Publisher:
    """Puts restreams on a stream.

    Attributes:
        jetstream: of an open connection.
        subject: where commands are published.
        stream: the stream that must take them.
        salt: what `declare_streams` returned.
        patience: seconds for which a server that is away is waited for.

    """

    jetstream: JetStreamContext
    subject: str
    stream: str
    salt: bytes = attrs.field(repr=False)
    patience: float = 120.0

    def message_id(self, new: NewRestream) -> str:
        """Return the id of the message that asks for a restream."""
        data = json.dumps(key_of(new)).encode()
        return hashlib.blake2b(data, key=self.salt, digest_size=16).hexdigest()

    async def publish(self, new: NewRestream, *, look_first: bool = False) -> Published:
        """Publish one restream, and wait until the stream has it.

        Args:
            new: the restream.
            look_first: whether it may be there already, from longer ago than the stream knows.

        Raises:
            UnpublishedError: the stream does not take it, or the server is away for too long.

        """
        message_id = self.message_id(new)
        headers = {"Nats-Msg-Id": message_id, **({LOOK_FIRST: "1"} if look_first else {})}
        try:
            async with asyncio.timeout(self.patience):
                return await self._insist(encode(new), headers, message_id)
        except TimeoutError:
            problem = f"the NATS server has not answered for {self.patience:g} s"
        raise UnpublishedError(problem)

    async def _insist(self, data: bytes, headers: dict[str, str], message_id: str) -> Published:
        while True:
            try:
                ack = await self.jetstream.publish(
                    self.subject,
                    data,
                    timeout=_CONFIRM_SECONDS,
                    stream=self.stream,
                    headers=dict(headers),
                )
            except nats.js.errors.NoStreamResponseError:
                # Nobody listens: also in the first moments after a restart.
                await asyncio.sleep(_PAUSE)
            except nats.js.errors.APIError as error:
                if error.err_code != _NO_LEADER:
                    raise UnpublishedError(
                        f"the stream {self.stream} does not take it: {error.description}"
                    ) from None
                await asyncio.sleep(_PAUSE)
            except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError) as error:
                # Nobody's fault but its own, or of the subject's.
                problem = str(error).removeprefix("nats: ")
                raise UnpublishedError(f"it cannot be published: {problem}") from None
            except UNREACHABLE:
                # It may be there by now: then the stream drops the next one.
                await asyncio.sleep(_PAUSE)
            else:
                return Published(message_id=message_id, is_new=not ack.duplicate)

    async def publish_all(
        self,
        restreams: Iterable[NewRestream],
        heed: Callable[[Published], object],
        *,
        look_first: bool = False,
    ) -> None:
        """Publish many, in any order; `heed` gets each as soon as the stream has it.

        Raises:
            UnpublishedError: one could not be published; nothing more is begun. What was begun
                may be there: publishing again does no harm.

        """
        items = iter(restreams)

        async def lane() -> None:
            for new in items:
                heed(await self.publish(new, look_first=look_first))

        first: BaseException
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(_UNDER_WAY):
                    lanes.create_task(lane())
        except* UnpublishedError as errors:
            first = errors.exceptions[0]
        else:
            return
        raise first
