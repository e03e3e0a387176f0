"""Private: the steps of one creation. Their order is in `create`."""

from restream_async._http.messages import Request
from restream_async._http.serialization import read_restream
from restream_async._operations.create_options import CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded, Doubt
from restream_async._operations.existence_check import ExistenceCheck, ExistenceChecker
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.unsent_requests import not_sent
from restream_async.errors import (
    CallError,
    ClientClosedError,
    MalformedResponseError,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    TransportError,
)
from restream_async.models import NewRestream, Origin, Restream
from restream_async.settings import InDoubt


class Creation:
    """The steps of one creation, and what is known of it so far."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a creation depends on
        self,
        checker: ExistenceChecker,
        new: NewRestream,
        request: Request,
        deadline: Deadline,
        options: CreateOptions,
        in_doubt: InDoubt,
    ) -> None:
        """Prepare the creation of `new` with `request`; treat doubt as `in_doubt` says."""
        self._executor = checker.executor
        self._existence = checker.existence
        self._in_doubt: InDoubt = in_doubt
        self._existence_check = ExistenceCheck(checker, new, deadline, options)
        self._new = new
        self._request = request
        self._deadline = deadline
        self._options = options
        self._attempts = 0
        # Why the latest attempt failed.
        self._after: CallError | None = None
        # The latest attempt whose outcome is unknown, and how many there were.
        self._doubt: CallError | None = None
        self._doubts = 0
        # Whether the next POST is sent although the outcome of an earlier one is unknown, and
        # whether that has happened.
        self._blind = False
        self._maybe_duplicate = False

    async def start(self) -> CreateSucceeded | Failure:
        """Make the first attempt, and check before it where the options say so."""
        options = self._options
        # A list that hides keys finds a restream only by comparison with an earlier list.
        hides_keys = self._existence.hides_keys and self._in_doubt != "resend"
        needs_list = hides_keys and options.listed is None
        if not (needs_list or options.check_first or options.in_doubt):
            return await self.post(has_slot=options.has_slot)
        if options.has_slot:
            release_slot(self._executor)
        if options.in_doubt:
            self._doubts, self._deadline.in_doubt = 1, True
            detail = "an earlier run ended before its answer came"
            self._doubt = TransportError(self._request.call, detail=detail, sent=True)
            checked = await self.check()
            return await self.post() if checked is None else checked
        found = await self._existence_check.before_first_attempt()
        if not options.check_first or found is None:
            return await self.post()
        if isinstance(found, Failure):
            # Without an answer to the check nothing is sent.
            return Failure(Classification.REFUSED, found.error)
        return self._succeeded(found, Origin.EXISTING)

    async def post(self, *, has_slot: bool = False) -> CreateSucceeded | Failure:
        """Send the POST once."""
        answer = await self._executor.attempt(
            self._request,
            read_restream,
            self._deadline,
            has_slot=has_slot,
            after=self._after,
            # The sooner the POST follows the check, the less can happen in between.
            ahead=self._existence_check.made and not has_slot,
        )
        if not (isinstance(answer, Failure) and answer.classification is Classification.NOT_DONE):
            self._maybe_duplicate = self._maybe_duplicate or self._blind
        return self.classify(answer)

    def classify(self, answer: Restream | Failure) -> CreateSucceeded | Failure:
        """Return what the end of an attempt means, and note a doubt."""
        unsent = isinstance(answer, Failure) and isinstance(answer.error, NotSentError)
        self._attempts += not unsent
        if not isinstance(answer, Failure):
            if self._existence.accepts(self._new, answer):
                return self._succeeded(answer, Origin.POSTED)
            self._existence_check.unaccepted[answer.id] = answer
            problem = "it is about another restream than was asked for"
            error = MalformedResponseError(self._request.call, problem=problem)
            answer = Failure(Classification.IN_DOUBT, error)
        self._after = answer.error
        self._after.attempts = self._attempts
        if answer.classification is Classification.IN_DOUBT:
            self._doubt = answer.error
            self._doubts += 1
        return answer

    async def check(self) -> CreateSucceeded | Failure | None:
        """Check whether an attempt in doubt has created the restream.

        Returns:
            None if the POST may be sent again: there was no doubt; the restream does not exist, or
            the service has nothing to list (404, 405 or 501); or the check failed after its
            retries, and sending again is the last resort.

        """
        self._blind = self._doubt is not None
        if self._doubt is None or self._in_doubt == "resend":
            return None
        found = await self._existence_check.after_doubt(self._doubt)
        if isinstance(found, Failure):
            return self._after_failed_check(self._doubt, found)
        self._blind = False
        return None if found is None else self._succeeded(found, Origin.CONFIRMED)

    async def final_check(self, failure: Failure) -> CreateSucceeded | Failure:
        """Check once more before `failure` is reported: the restream may exist all the same."""
        doubt = self._doubt
        # Report an unknown outcome rather than a closed client.
        unchecked = self._in_doubt == "resend" and not isinstance(failure.error, ClientClosedError)
        if doubt is None or unchecked or isinstance(failure.error, OutcomeUnknownError):
            return failure
        found = await self._existence_check.final(doubt)
        if found is None:
            # The restream does not exist. If the call was stopped, `failure` may be the attempt in
            # doubt: then nothing was sent that counts.
            stopped = self._deadline.stop.requested and failure.error is doubt
            return not_sent(self._request.call, self._attempts) if stopped else failure
        if isinstance(found, Failure):
            return self._unknown(doubt, found)
        return self._succeeded(found, Origin.CONFIRMED)

    def failed(self, failure: Failure) -> CreateFailed:
        """Return the end of a creation that did not succeed."""
        return CreateFailed(error=failure.error, attempts=self._attempts, doubt=self._uncertainty())

    def _after_failed_check(self, doubt: CallError, check: Failure) -> Failure | None:
        """Return why nothing is sent again; None if the POST is, as the last resort."""
        if isinstance(check.error, NotSentError):
            # The call was stopped. The final check follows.
            return check
        if self._in_doubt == "raise" or isinstance(check.error, OutageError):
            return self._unknown(doubt, check)
        if MalformedResponseError in {type(doubt), type(check.error)}:
            # The service answered, so something may have happened.
            return Failure(Classification.IN_DOUBT, doubt)
        return None

    def _succeeded(self, restream: Restream, origin: Origin) -> CreateSucceeded:
        self._existence.remember_id(self._new, restream.id)
        return CreateSucceeded(
            restream, self._attempts, origin, self._maybe_duplicate, self._uncertainty()
        )

    def _uncertainty(self) -> Doubt | None:
        if self._doubt is None:
            return None
        absent, others = self._existence_check.was_absent, self._options.others
        return Doubt(absent_before=absent, posts=self._doubts, others=others)

    def _unknown(self, doubt: CallError, check: Failure) -> Failure:
        note = (
            f"checking whether it exists failed too ({check.error}); list the restreams of the "
            "video before creating it again"
        )
        call, attempts = self._request.call, self._attempts
        error = OutcomeUnknownError(call, doubt=doubt, attempts=attempts, note=note)
        return Failure(Classification.REFUSED, error)


def release_slot(executor: RequestExecutor) -> None:
    """Release the slot of a creation that does not begin with its POST."""
    executor.limiter.release()
    executor.limiter.notify_slot_listeners()
