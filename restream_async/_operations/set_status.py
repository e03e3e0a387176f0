"""Private: turns restreams of one video on or off, in a way that is safe to repeat.

The service can only toggle a status, and a second toggle undoes the first. So lists decide: only a
restream whose status differs is toggled, and another list always follows. An answer alone proves
nothing, because a cache in between may have sent the toggle twice.

After an attempt in doubt, the list comes after the wait of the retry policy, because a slow service
may still do what it was asked. The toggle is sent again only if that list shows the old status.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from restream_async._http.api import Api
from restream_async._operations.listing import Listing
from restream_async._operations.toggle_and_check import StatusResult, VideoStatuses
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.unsent_requests import too_late
from restream_async.errors import ApiError
from restream_async.models import Restream

_TURN_TAKEN: Final = "another status of the video was being set until the deadline"
_WITHOUT_LIST: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_WITHOUT_LIST_NOTE: Final = (
    "a status can be set only if the service can list the restreams of a video: toggle the "
    "restream instead"
)


class StatusSetter:
    """Sets the statuses of one project's restreams, for each video in turns.

    Attributes:
        listing: lists videos, and takes no list from a cache.

    """

    def __init__(self, executor: RequestExecutor, api: Api, listing: Listing) -> None:
        """Set them through `executor`; `listing` must take no list from a cache."""
        self.listing = listing
        self._executor = executor
        self._api = api
        # The videos with a turn in progress: its lock, and how many tasks hold it or wait for it.
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, video_id: str, deadline: Deadline | None = None) -> AsyncGenerator[None]:
        """Wait until no other task changes the video, and keep others waiting during the block.

        Raises:
            TimeoutError: the deadline came first, or the call was stopped.

        """
        lock, tasks = self._turns.get(video_id, (None, 0))
        lock = lock or asyncio.Lock()
        self._turns[video_id] = lock, tasks + 1
        try:
            if deadline is None:
                await lock.acquire()
            else:
                # The deadline of a patient call moves on in an outage.
                longest = None if deadline.patient else deadline.remaining()
                await deadline.stop.wait_for(lock.acquire(), longest)
            try:
                yield
            finally:
                lock.release()
        finally:
            _, tasks = self._turns.pop(video_id)
            if tasks > 1:
                self._turns[video_id] = lock, tasks - 1

    async def set_one(
        self, video_id: str, restream_id: int | str, deadline: Deadline, *, on: bool
    ) -> Restream | Failure:
        """Do the same as `set` for one restream, in its turn."""
        call = self._api.toggle(restream_id).call
        try:
            async with self.turn(video_id, deadline):
                result = await self.set(video_id, {restream_id: on}, deadline)
        except TimeoutError:
            return too_late(self._executor.limiter, call, deadline, _TURN_TAKEN)
        return result.restreams[restream_id]

    async def set(
        self,
        video_id: str,
        wanted: Mapping[int | str, bool],
        deadline: Deadline,
        *,
        listed: Sequence[Restream] | None = None,
    ) -> StatusResult:
        """List, toggle what differs, wait after doubt, and list again.

        Must be called inside the `turn` of the video.

        Args:
            video_id: the video of all these restreams.
            wanted: the wanted status of each restream, by its id.
            deadline: when the call ends. Its last check may take up to 5 seconds more.
            listed: the restreams of the video, if they were listed a moment ago.

        Raises:
            InvalidRestreamError: an id is empty or cannot stand in a path; nothing was sent.

        """
        executor, listing = self._executor, self.listing
        statuses = VideoStatuses(executor, self._api, listing, video_id, wanted, deadline)
        found = await listing.read(video_id, deadline) if listed is None else [*listed]
        if isinstance(found, Failure):
            return StatusResult(dict.fromkeys(wanted, _explained(found)), found)
        statuses.compare(found)
        retries = None
        while failure := await statuses.toggle() or await statuses.check_answered():
            retries = retries or executor.retries(deadline)
            end = await retries.wait_after(failure)
            await statuses.check()
            if end is not None:
                statuses.give_up(failure, end)
                return statuses.result()
        if retries is not None:
            retries.succeeded()
        return statuses.result()


def _explained(failure: Failure) -> Failure:
    error = failure.error
    if isinstance(error, ApiError) and error.status in _WITHOUT_LIST:
        error.note = error.note or _WITHOUT_LIST_NOTE
    return failure
