"""Private: the restreams of one video, read to the end of the list and past any cache."""

import functools
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs

from restream_async._http.api import Api
from restream_async._http.list_response import ListPage, read_page
from restream_async._http.messages import Request
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import CallError, MalformedResponseError, NotSentError
from restream_async.models import NewRestream, Restream

_Attempt: TypeAlias = Callable[
    [Request, Callable[[object], ListPage], Deadline],
    Awaitable[ListPage | Failure],
]
"""Sends a request once."""

# Seconds that the final attempt of a stopped call may take.
_FINAL_ATTEMPT: Final = 2.0


class Listing:
    """Lists restreams. It remembers whether a cache answered in place of the service."""

    def __init__(self, executor: RequestExecutor, api: Api, *, uncached: bool = False) -> None:
        """List the restreams of one project.

        Args:
            executor: sends the requests.
            api: makes them.
            uncached: whether every list must come past caches, also past those that do not say
                that they answered.

        """
        self._executor = executor
        self._api = api
        self._cached = uncached
        self._uncached_calls = 0

    async def read(
        self,
        video_id: str,
        deadline: Deadline,
        *,
        about: NewRestream | None = None,
        on_failure: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> list[Restream] | Failure:
        """Return the restreams of a video, with retries.

        Args:
            video_id: the video.
            deadline: when the call ends.
            about: the restream that is searched for. No text repeats its secrets.
            on_failure: sees every failure, and may return another one in its place.

        Raises:
            InvalidRestreamError: the id is empty or cannot stand in a path.

        """

        async def attempt(after: CallError | None) -> list[Restream] | Failure:
            send = functools.partial(self._executor.attempt, after=after)
            return await self._read_once(video_id, deadline, about, send)

        return await self._executor.with_retries(attempt, deadline, on_failure=on_failure)

    async def read_finally(
        self, video_id: str, deadline: Deadline, *, about: NewRestream | None = None
    ) -> list[Restream] | Failure:
        """Return the restreams of a video, without retries and even if the call was stopped."""
        return await self._read_once(video_id, deadline, about, self._final_attempt)

    async def _final_attempt(
        self, request: Request, read: Callable[[object], ListPage], deadline: Deadline
    ) -> ListPage | Failure:
        """Attempt once, even if the call was stopped; then wait only briefly for a slot.

        In an outage such an attempt fails at once.
        """
        executor = self._executor
        page = await executor.attempt(request, read, deadline)
        stopped = isinstance(page, Failure) and isinstance(page.error, NotSentError)
        if stopped and executor.limiter.state != "open":
            brief = Deadline(executor.clock.now, min(_FINAL_ATTEMPT, executor.timeout))
            page = await executor.attempt(request, read, brief)
        return page

    async def _read_once(
        self, video_id: str, deadline: Deadline, about: NewRestream | None, attempt: _Attempt
    ) -> list[Restream] | Failure:
        """Make one attempt, which reads all pages of the list."""
        first = await self._page(video_id, deadline, about, attempt)
        if isinstance(first, Failure):
            return first
        restreams = [*first.restreams]
        for number in range(first.number + 1, first.number + first.pages):
            page = await self._page(
                video_id, deadline, about, attempt, page=number, take=first.size
            )
            if isinstance(page, Failure):
                return page
            if page.number != number or page.pages != first.pages or page.count != first.count:
                return self._unreadable(video_id, about, f"the pages changed at page {number}")
            known = {restream.id for restream in restreams}
            if known.issuperset(restream.id for restream in page.restreams):
                return self._unreadable(video_id, about, f"page {number} shows nothing new")
            restreams += page.restreams
        found = len({restream.id for restream in restreams})
        if first.count is not None and found != first.count:
            # The list changed while its pages were read, or does not show all.
            problem = f"{found} of {first.count} restreams are shown"
            return self._unreadable(video_id, about, problem)
        # The text may be empty, and other calls need it.
        return [
            each if each.video_id else attrs.evolve(each, video_id=video_id) for each in restreams
        ]

    async def _page(
        self,
        video_id: str,
        deadline: Deadline,
        about: NewRestream | None,
        attempt: _Attempt,
        **query: int | None,
    ) -> ListPage | Failure:
        request = self._request(video_id, about, **query)
        page = await attempt(request, read_page, deadline)
        if isinstance(page, Failure) and page.cached and not self._cached:
            self._cached = True
            request = self._request(video_id, about, **query)
            page = await attempt(request, read_page, deadline)
        return page

    def _request(self, video_id: str, about: NewRestream | None, **query: int | None) -> Request:
        # An existence check must not see an old list. Many caches ignore a request's Cache-Control
        # and do not say that they answered, but no cache has an answer to a new query.
        unique = None
        if self._cached or about is not None:
            self._uncached_calls += 1
            unique = int(self._executor.clock.random() * 2**48) + self._uncached_calls
        return self._api.list(video_id, about=about, unique=unique, **query)

    def _unreadable(self, video_id: str, about: NewRestream | None, problem: str) -> Failure:
        call = self._api.list(video_id, about=about).call
        return Failure(Classification.IN_DOUBT, MalformedResponseError(call, problem=problem))
