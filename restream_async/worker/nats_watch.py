"""Private: whether a worker can go on: its connection, and what it needs on the NATS server."""

import asyncio
import logging
import re
from collections.abc import Iterable
from typing import Final

import attrs
from nats.aio.client import Client
from nats.js import JetStreamContext

from restream_async._util.redaction import clean, redact
from restream_async.worker.activity import Activity
from restream_async.worker.consumer import find_deleted
from restream_async.worker.subjects import Subjects

# Seconds before the second check of what is missing: a cluster may not know of it for a moment.
_RECHECK_SECONDS: Final = 1.0
_LONGEST_CAUSE: Final = 200
_REFUSED: Final = re.compile("authorization|authentication", re.IGNORECASE)
# Checks in a row that find the login refused, before that counts as final. Official clients of NATS
# give up after two refusals.
_MOST_REFUSALS: Final = 3

_log: Final = logging.getLogger("restream_async.worker")


@attrs.define(kw_only=True)
class NatsWatch:
    """Finds out what a fetch does not notice, and logs when messages stop coming and come again.

    Attributes:
        connection: of the worker.
        jetstream: of the same connection.
        subjects: the names of streams and consumers.
        consumers: those that the worker needs.
        activity: gets whether the server answers.
        secrets: what no text of the server may repeat.

    """

    connection: Client
    jetstream: JetStreamContext
    subjects: Subjects
    consumers: tuple[str, ...]
    activity: Activity
    secrets: Iterable[str] = ()
    _refusals: int = attrs.field(default=0, init=False)
    _logged: str = attrs.field(default="", init=False)

    async def problem(self) -> str:
        """Return why the worker cannot go on; empty: it can."""
        problem = await self._find_problem()
        self._log_change(self.activity.nats_problem())
        return problem

    def _log_change(self, problem: str) -> None:
        if problem == self._logged:
            return
        self._logged = problem
        if problem:
            _log.warning("%s, so this worker gets no messages", problem)
        else:
            _log.info("the NATS server answers, so this worker gets messages again")

    async def _find_problem(self) -> str:
        cause = clean(redact(str(self.connection.last_error), self.secrets), _LONGEST_CAUSE)
        if self.connection.is_closed:
            # nats-py opens it again after every other loss.
            return f"the NATS server has closed the connection for good ({cause})"
        refused = self.connection.is_reconnecting and _REFUSED.search(cause)
        self._refusals = self._refusals + 1 if refused else 0
        if self._refusals == _MOST_REFUSALS:
            return f"the NATS server refuses the login ({cause})"
        if not self.connection.is_connected:
            return ""
        if await self._find_deleted():
            await asyncio.sleep(_RECHECK_SECONDS)
            if deleted := await self._find_deleted():
                return f"{deleted} does not exist any more"
        return ""

    async def _find_deleted(self) -> str | None:
        deleted = await find_deleted(self.jetstream, self.subjects, self.consumers)
        self.activity.answered = deleted is not None
        return deleted
