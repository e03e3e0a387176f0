"""Private: the statuses of one video's restreams while they are set, and what is known of each."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, cast

import attrs

from restream_async._http import serialization
from restream_async._http.api import Api
from restream_async._http.messages import Request
from restream_async._operations.listing import Listing
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import (
    CallError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
)
from restream_async.models import Restream

LATE_TOGGLE_WAIT: Final = 1.0
"""Seconds from a toggle that was sent again to the check. The earlier one may come meanwhile."""

_FINAL_CHECK: Final = 5.0
"""Seconds that the check before reporting a failure may take, even beyond the deadline."""


@attrs.frozen
class StatusResult:
    """What became of the restreams of one video.

    Attributes:
        restreams: for each id, the restream as the service has it now, with the wanted status; or
            why it has not. With an `OutcomeUnknownError` its status is unknown. With any other
            error its status was not the wanted one when it was last checked.
        listed: the list that was read after the last toggle, or why it could not be read. If
            nothing was toggled, the list from before.

    """

    restreams: dict[int | str, Restream | Failure]
    listed: list[Restream] | Failure


@attrs.define(kw_only=True)
class _Status:
    """One restream.

    Attributes:
        request: toggles it.
        wanted: the wanted status.
        shown: the restream in the latest list; None if it is not there.
        failure: why the status differs, as far as a toggle was tried.
        doubt: the latest attempt in doubt, unless a list has shown the wanted status since.
        attempts: how many times the client tried to toggle it.
        sent: whether a toggle may have reached the service.
        resent: whether the latest toggle followed one in doubt, which may come late.
        ended: whether it is not toggled any more.

    """

    request: Request
    wanted: bool
    shown: Restream | None = None
    failure: Failure | None = None
    doubt: CallError | None = None
    attempts: int = 0
    sent: bool = False
    resent: bool = False
    ended: bool = False

    @property
    def is_set(self) -> bool:
        """Whether the latest list shows the wanted status."""
        return self.shown is not None and self.shown.status == self.wanted

    @property
    def state(self) -> str:
        """The status that is not wanted, in a word."""
        return "inactive" if self.wanted else "active"


class VideoStatuses:
    """The restreams of one video whose statuses are set."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a client, and what is set
        self,
        executor: RequestExecutor,
        api: Api,
        listing: Listing,
        video_id: str,
        wanted: Mapping[int | str, bool],
        deadline: Deadline,
    ) -> None:
        """Send nothing yet.

        Raises:
            InvalidRestreamError: an id cannot stand in a path.

        """
        self._executor = executor
        self._listing = listing
        self._video_id = video_id
        self._deadline = deadline
        self._call = api.list(video_id).call
        self._ids = tuple(wanted)
        # By the id as a text, because the service may show `7` as `"7"`.
        self._statuses = {
            str(restream_id): _Status(request=api.toggle(restream_id), wanted=on)
            for restream_id, on in wanted.items()
        }
        self._listed: list[Restream] | Failure = []
        self._toggled = False
        self._was_in_doubt = deadline.in_doubt

    def compare(self, listed: Sequence[Restream]) -> None:
        """Compare the statuses with a list."""
        by_id = {str(restream.id): restream for restream in listed}
        for restream_id, status in self._statuses.items():
            status.shown = by_id.get(restream_id)
            if status.shown is None:
                status.failure, status.ended = self._missing(restream_id), True
            elif status.is_set:
                status.failure = status.doubt = None
            elif status.failure is None and self._toggled:
                status.failure = _in_vain(status)
        self._listed = [*listed]
        doubt = any(status.doubt is not None for status in self._statuses.values())
        self._deadline.in_doubt = self._was_in_doubt or doubt

    async def toggle(self) -> Failure | None:
        """Toggle what differs, each once; return the failure that most needs a wait, or None."""
        worst = None
        self._toggled = True
        for status in [*self._open()]:
            status.resent = status.doubt is not None
            failure = await self._toggle(status)
            if failure is None or failure.classification is Classification.REFUSED:
                continue
            if worst is None or worst.classification is Classification.NOT_DONE:
                worst = failure
        return worst

    async def check_answered(self) -> Failure | None:
        """Check after all toggles were answered; return why a status still differs, or None."""
        await self.check()
        return next((status.failure for status in self._open()), None)

    async def check(self) -> None:
        """List the video again if a toggle may have taken effect, and compare."""
        if not any(status.sent for status in self._open()):
            return
        deadline = self._deadline
        if any(status.resent for status in self._open()):
            await deadline.stop.pause(self._executor.clock.sleep(LATE_TOGGLE_WAIT))
        listed = await self._listing.read(self._video_id, deadline)
        if isinstance(listed, Failure) and deadline.remaining() < _FINAL_CHECK:
            longest = min(_FINAL_CHECK, self._executor.timeout)
            final = Deadline(self._executor.clock.now, longest, stop=deadline.stop)
            listed = await self._listing.read_finally(self._video_id, final)
        if not isinstance(listed, Failure):
            self.compare(listed)
            return
        self._listed = listed
        for status in self._open():
            if status.sent:
                status.failure = _unknown(status, listed)
            status.ended = True

    def give_up(self, failure: Failure, end: Failure) -> None:
        """Say why nothing is toggled again: the wait after `failure` has ended in `end`."""
        for status in self._open():
            own = status.failure or end
            status.failure = end if own is failure else own
            if status.doubt is not None:
                note = f"a check found the restream still {status.state}"
                status.failure.error.note = status.failure.error.note or note

    def result(self) -> StatusResult:
        """Return the result for each restream."""
        return StatusResult(
            {restream_id: self._end_of(restream_id) for restream_id in self._ids},
            self._listed,
        )

    def _open(self) -> Iterator[_Status]:
        return (each for each in self._statuses.values() if not (each.is_set or each.ended))

    async def _toggle(self, status: _Status) -> Failure | None:
        """Send one toggle; return why it has no answer."""
        # It follows a list: the sooner, the less can happen in between.
        answer = await self._executor.attempt(
            status.request,
            serialization.read_toggled,
            self._deadline,
            after=status.failure.error if status.failure and status.attempts else None,
            ahead=True,
        )
        if not isinstance(answer, Failure):
            status.attempts += 1
            status.sent = self._deadline.in_doubt = True
            status.failure = None
            return None
        status.attempts += not isinstance(answer.error, NotSentError)
        answer.error.attempts = status.attempts
        status.failure = answer
        status.ended = answer.classification is Classification.REFUSED
        if answer.classification is Classification.IN_DOUBT:
            status.sent, status.doubt = True, answer.error
        return answer

    def _missing(self, restream_id: str) -> Failure:
        error = NotFoundError(
            self._call,
            status=HTTPStatus.NOT_FOUND,
            reason=HTTPStatus.NOT_FOUND.phrase,
            messages=(f"the list of the video has no restream {restream_id!r}",),
            attempts=1,
        )
        return Failure(Classification.REFUSED, error)

    def _end_of(self, restream_id: int | str) -> Restream | Failure:
        status = self._statuses[str(restream_id)]
        return status.failure or cast("Restream", status.shown)


def _in_vain(status: _Status) -> Failure:
    """Return the failure of a status that was set, and that a list does not show."""
    known = "the toggle was answered" if status.sent else "an earlier list showed the wanted status"
    problem = f"{known}, but the restream is {status.state}"
    error = MalformedResponseError(status.request.call, problem=problem, attempts=status.attempts)
    return Failure(Classification.IN_DOUBT, error)


def _unknown(status: _Status, check: Failure) -> Failure:
    """Return the failure of a toggle that could not be checked."""
    error = OutcomeUnknownError(
        status.request.call,
        doubt=status.doubt or check.error,
        attempts=status.attempts,
        note=f"listing the video afterwards failed too ({check.error}); set the status again, or "
        "list the video to see it",
    )
    return Failure(Classification.REFUSED, error)
