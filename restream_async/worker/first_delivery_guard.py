"""After a lost connection: when a first delivery cannot be trusted to be the first."""

import logging
import time
from typing import Final

from nats.aio.client import Client

_log: Final = logging.getLogger("restream_async.worker")


class FirstDeliveryGuard:
    """Decides whether first deliveries have to be delivered again, later.

    A NATS server that is killed forgets its latest deliveries. It delivers these messages again as
    if for the first time, while the worker that had them before may still be creating, which an
    existence check cannot see. So for a while after a reconnection first deliveries get a NAK.
    The other worker goes on extending its lease, so the message comes back only after that worker
    has finished: as a second delivery, with a check that sees what was created.
    """

    def __init__(self, connection: Client, ack_wait: float) -> None:
        """Watch a connection; `ack_wait` is how many seconds the lease of a message lasts."""
        self._connection = connection
        self._ack_wait = ack_wait
        self._count = connection.stats["reconnects"]
        self._until = 0.0

    def is_uncertain(self) -> bool:
        """Return whether the connection is lost, or came back less than `ack_wait` ago."""
        if (count := self._connection.stats["reconnects"]) != self._count:
            self._count = count
            self._until = time.monotonic() + self._ack_wait
            _log.warning(
                "the connection to NATS was lost and is back: for %g s this worker answers first "
                "deliveries with a NAK, because the server may have forgotten that another worker "
                "has them",
                self._ack_wait,
            )
        return not self._connection.is_connected or time.monotonic() < self._until
