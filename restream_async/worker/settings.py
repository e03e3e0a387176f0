"""How a worker works: the numbers and names it goes by."""

from collections.abc import Callable

import attrs

from restream_async._retry.policy import RetryPolicy
from restream_async.errors import RestreamError
from restream_async.worker.consumer import ACK_WAIT
from restream_async.worker.handling import GRACE, REDELIVERY
from restream_async.worker.subjects import Subjects
from restream_async.worker.webhooks import Destination


@attrs.frozen(kw_only=True)
class WorkerSettings:
    """How a worker works.

    Attributes:
        names: what things are called on the NATS server.
        places: messages under way in this process, at most.
        ack_wait: seconds, as the consumer has them.
        look_until: messages up to this number of the stream may have been delivered by a consumer
            that was deleted: they get a fresh check, also where the stream is trusted.
        trust_stream: create at a first delivery without a check, see `handling.Handler`.
        redelivery: at which delivery a message that fails is given up, and its rest in between.
        destinations: where every new live video is pushed on to; where there are none, this
            worker leaves events to others.
        told: puts an error into words, for the log and the outcomes.
        salt: keys the ids of messages, see `publishing`; for events only.
        grace: seconds that messages under way may take to finish when the worker is to end; what
            is not finished then is given back, and rests for `ack_wait`.

    """

    names: Subjects = attrs.field(factory=Subjects)
    places: int = 16
    ack_wait: float = ACK_WAIT
    look_until: int = 0
    trust_stream: bool = False
    redelivery: RetryPolicy = REDELIVERY
    grace: float = GRACE
    destinations: tuple[Destination, ...] = ()
    told: Callable[[RestreamError], str] = str
    salt: bytes = attrs.field(default=b"", repr=False)
