"""The restreams of one video, read to the end of the list and past any cache."""

import functools
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from restream_async._http import serialization
from restream_async._http.messages import Api, Request
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import MalformedResponseError
from restream_async.models import NewRestream, Restream

_Attempt: TypeAlias = Callable[
    [Request, Callable[[object], serialization.ListPage], Deadline],
    Awaitable[serialization.ListPage | Failure],
]
"""One request to the service, through the limit."""


class Listing:
    """Lists restreams. It remembers whether a cache answers in place of the service."""

    def __init__(self, executor: RequestExecutor, api: Api) -> None:
        """List the restreams of one project."""
        self._executor = executor
        self._api = api
        self._cached = False
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
            video_id: whose.
            deadline: when all ends.
            about: the restream that is looked for; what no text may repeat is known from it.
            on_failure: sees every failure, and may return what it means for this call.

        Raises:
            InvalidRestreamError: the id is empty or cannot stand in a path.

        """

        async def attempt(again: bool) -> list[Restream] | Failure:  # noqa: FBT001 - of `with_retries`
            send = functools.partial(self._executor.attempt, again=again)
            return await self._read_once(video_id, deadline, about, send)

        return await self._executor.with_retries(attempt, deadline, on_failure=on_failure)

    async def read_finally(
        self, video_id: str, deadline: Deadline, *, about: NewRestream
    ) -> list[Restream] | Failure:
        """Return the same without retries, even where the call is told to end."""
        return await self._read_once(video_id, deadline, about, self._executor.final_attempt)

    async def _read_once(
        self, video_id: str, deadline: Deadline, about: NewRestream | None, attempt: _Attempt
    ) -> list[Restream] | Failure:
        """Make one attempt. A list that comes in pages is read to its end."""
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
                return self._unread(video_id, about, f"the pages changed at page {number}")
            known = {restream.id for restream in restreams}
            if known.issuperset(restream.id for restream in page.restreams):
                return self._unread(video_id, about, f"page {number} shows nothing new")
            restreams += page.restreams
        found = len({restream.id for restream in restreams})
        if first.count is not None and found != first.count:
            # It changed while its pages were read, or does not show all.
            return self._unread(video_id, about, f"{found} of {first.count} restreams are shown")
        return restreams

    async def _page(
        self,
        video_id: str,
        deadline: Deadline,
        about: NewRestream | None,
        attempt: _Attempt,
        **query: int | None,
    ) -> serialization.ListPage | Failure:
        request = self._request(video_id, about, **query)
        page = await attempt(request, serialization.read_page, deadline)
        if isinstance(page, Failure) and page.cached and not self._cached:
            self._cached = True
            request = self._request(video_id, about, **query)
            page = await attempt(request, serialization.read_page, deadline)
        return page

    def _request(self, video_id: str, about: NewRestream | None, **query: int | None) -> Request:
        # Many caches ignore a request's Cache-Control, but none knows a query that is new. A check
        # must not see what a cache kept, and not every cache says that it answered.
        unique = None
        if self._cached or about is not None:
            self._uncached_calls += 1
            unique = int(self._executor.clock.random() * 2**48) + self._uncached_calls
        return self._api.list(video_id, about=about, unique=unique, **query)

    def _unread(self, video_id: str, about: NewRestream | None, problem: str) -> Failure:
        call = self._api.list(video_id, about=about).call
        return Failure(Classification.IN_DOUBT, MalformedResponseError(call, problem=problem))
