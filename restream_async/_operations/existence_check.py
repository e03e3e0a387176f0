"""Private: the existence check: list the restreams of the video, and search for the wanted one.

What a list says about the wanted restream is decided in `existence`.
"""

from collections.abc import Coroutine
from http import HTTPStatus
from typing import Final

from restream_async._http.api import Api
from restream_async._operations.create_options import CreateOptions
from restream_async._operations.existence import CheckContext, Existence, Inconclusive, key_of
from restream_async._operations.listing import Listing
from restream_async._operations.shared_lists import SharedLists
from restream_async._operations.turns import Turns
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.uncounted_attempts import is_uncounted
from restream_async._retry.unsent_requests import too_late
from restream_async.errors import ApiError, CallError, MalformedResponseError
from restream_async.models import NewRestream, Restream

# Seconds that the check before reporting a failure may take, even beyond the deadline.
_FINAL_CHECK: Final = 5.0
_LIST_IN_PROGRESS: Final = "another list of the video was in progress until the deadline"
# With these a service answers that has nothing to list, or has no list call.
_NOTHING_TO_LIST: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)


class ExistenceChecker:
    """What the existence checks of one client share."""

    def __init__(self, executor: RequestExecutor, api: Api, turns: Turns) -> None:
        """Check for restreams of one project; `turns` knows what the client is creating."""
        self.executor = executor
        self.api = api
        self.turns = turns
        self.listing = Listing(executor, api)
        self.existence = Existence()
        self.lists = SharedLists(executor.clock.now)


class ExistenceCheck:
    """The existence checks of one creation.

    Each returns the restream, None if it does not exist, or the failure of the check.

    Attributes:
        made: whether a check was made.
        was_absent: whether a check showed that the restream did not exist.
        unaccepted: answers to the creation's POSTs that differ from what was sent, by id.

    """

    def __init__(
        self,
        checker: ExistenceChecker,
        new: NewRestream,
        deadline: Deadline,
        options: CreateOptions,
    ) -> None:
        """Prepare the checks of the creation of `new`, which ends at `deadline`."""
        self._checker = checker
        self._new = new
        self._deadline = deadline
        self._options = options
        # Over the whole creation, because they are retries within retries.
        self._list_retries = checker.executor.policy.attempts - 1
        # Ids that a list showed before the latest POST.
        self._listed_before = options.listed
        self.made = False
        self.was_absent = False
        self.unaccepted: dict[int | str, Restream] = {}

    async def before_first_attempt(self) -> Restream | Failure | None:
        """Check with a list that the checks of all restreams of the video share."""
        return await self._observed(self._before_first_attempt())

    async def after_doubt(self, doubt: CallError) -> Restream | Failure | None:
        """Check before an attempt is repeated whose outcome is unknown because of `doubt`."""
        return await self._observed(self._after_doubt(doubt))

    async def final(self, doubt: CallError) -> Restream | Failure | None:
        """Check once, without retries, even if the call was stopped."""
        return await self._observed(self._final(doubt))

    async def _observed(
        self, check: Coroutine[None, None, Restream | Failure | None]
    ) -> Restream | Failure | None:
        """Make a check, and report it to the telemetry."""
        with self._checker.executor.telemetry.check() as span:
            found = await check
            if isinstance(found, Failure):
                span.failed(found.error)
            else:
                span.checked(exists=found is not None)
            return found

    async def _before_first_attempt(self) -> Restream | Failure | None:
        deadline, options = self._deadline, self._options
        try:
            listed = await deadline.stop.wait_for(
                self._checker.lists.get(
                    self._new.video_id,
                    key_of(self._new),
                    lambda: self._list(None),
                    recent=options.recent,
                    seconds=None if deadline.patient else deadline.remaining(),
                )
            )
        except TimeoutError:
            limiter, call = self._checker.executor.limiter, self._checker.api.create(self._new).call
            listed = too_late(limiter, call, deadline, _LIST_IN_PROGRESS)
        return self._search(listed, None)

    async def _after_doubt(self, doubt: CallError) -> Restream | Failure | None:
        return self._search(await self._list(doubt), doubt)

    async def _final(self, doubt: CallError) -> Restream | Failure | None:
        deadline, executor = self._deadline, self._checker.executor
        longest = min(_FINAL_CHECK, executor.timeout)
        if deadline.remaining() < longest:
            deadline = Deadline(executor.clock.now, longest, stop=deadline.stop)
        listed = await self._checker.listing.read_finally(
            self._new.video_id, deadline, about=self._new
        )
        return self._search(self._read(listed, doubt), doubt)

    def _search(
        self, listed: list[Restream] | Failure | None, doubt: CallError | None
    ) -> Restream | Failure | None:
        """Search a list for the wanted restream. None: the service has nothing to list."""
        self.made = True
        if listed is None or isinstance(listed, Failure):
            return listed
        new, options = self._new, self._options
        context = CheckContext(
            others=options.others - {options.known_id},
            listed_before=self._listed_before,
            unaccepted=self.unaccepted,
            has_rivals=self._checker.turns.has_rivals(new),
        )
        found = self._checker.existence.find(new, listed, context)
        if found is None or doubt is None:
            self._listed_before = {shown.id for shown in listed}
        if isinstance(found, Inconclusive):
            call = self._checker.api.list(new.video_id, about=new).call
            error = MalformedResponseError(call, problem=str(found), attempts=1)
            return Failure(Classification.IN_DOUBT, error)
        self.was_absent = self.was_absent or found is None
        return found

    async def _list(self, doubt: CallError | None) -> list[Restream] | Failure | None:
        """Request the list, with retries."""
        listed = await self._checker.listing.read(
            self._new.video_id,
            self._deadline,
            about=self._new,
            on_failure=self._use_up_list_retries,
        )
        return self._read(listed, doubt)

    def _read(
        self, listed: list[Restream] | Failure, doubt: CallError | None
    ) -> list[Restream] | Failure | None:
        """Return None if a list call failed because the service has nothing to list."""
        if not isinstance(listed, Failure):
            return listed
        error = listed.error
        error.attempts = error.attempts or 1
        nothing = isinstance(error, ApiError) and error.status in _NOTHING_TO_LIST
        # That proves nothing if the POST was answered, or if an earlier run knew an id.
        answered = isinstance(doubt, MalformedResponseError)
        contradicted = answered or self._options.known_id is not None
        return None if nothing and not contradicted else listed

    def _use_up_list_retries(self, failure: Failure) -> Failure:
        """Make a failure final once the creation has no list retries left.

        The first check may use up all of them. It matters most: a POST that is sent again without a
        successful check may create the restream twice.
        """
        executor = self._checker.executor
        if is_uncounted(failure, self._deadline, executor.limiter, executor.policy):
            return failure
        if not self._list_retries:
            return Failure(Classification.REFUSED, failure.error)
        self._list_retries -= 1
        return failure
