"""What the service does with a request, and what it answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

from restream_async.sandbox import responses
from restream_async.sandbox.counts import CountsRecorder
from restream_async.sandbox.fault_schedule import FaultSchedule, Phase, ScheduledFault
from restream_async.sandbox.requests import Endpoint, SandboxRequest, read_wish
from restream_async.sandbox.restream_store import Ids, RestreamStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from restream_async.sandbox.faults import Faults
    from restream_async.sandbox.requests import Wish
    from restream_async.sandbox.responses import SandboxResponse
    from restream_async.sandbox.restream_store import Stored


class Later(Protocol):
    """Whatever can do something so many seconds from now."""

    def __call__(self, seconds: float, action: Callable[[], object], /) -> None:
        """Do `action` in `seconds`."""
        ...


class Service:
    """The endpoints, over a store and a plan of faults. No clock, no network of its own."""

    def __init__(
        self, *, faults: Faults, seed: int, api_key: str, project_id: str, ids: Ids
    ) -> None:
        """Serve one project, empty at first."""
        self.plan = FaultSchedule(faults, seed)
        self.store = RestreamStore(ids)
        self.tally = CountsRecorder()
        self.outage = False
        self._credentials = frozenset({api_key, f"Bearer {api_key}"})
        self._project_id = project_id

    def answer(
        self, call: SandboxRequest, authorization: str, body: bytes, later: Later
    ) -> SandboxResponse:
        """Do what `call` asks for and return what the client gets to see of it."""
        if self.outage:
            return self.unavailable()
        if authorization not in self._credentials:
            return responses.UNAUTHORIZED
        if call.project_id != self._project_id:
            return responses.NOT_FOUND
        return self._do(call, body, later)

    def unavailable(self) -> SandboxResponse:
        """Return the page of the cache when it can't reach the service."""
        return responses.backend_fetch_failed(self.plan.faults.retry_after)

    def _do(self, call: SandboxRequest, body: bytes, later: Later) -> SandboxResponse:
        match call.endpoint:
            case Endpoint.CREATE:
                return self._create(body, later)
            case Endpoint.LIST:
                return self._list(call.subject)
            case Endpoint.TOGGLE:
                return self._toggle(call.subject)
            case Endpoint.DELETE:
                return self._delete(call.subject)
            case Endpoint.VIDEOS:
                return self._videos(call.query)
            case _:
                return responses.NOT_FOUND

    def _create(self, body: bytes, later: Later) -> SandboxResponse:
        wish = read_wish(body)
        if isinstance(wish, list):
            return responses.failure(HTTPStatus.BAD_REQUEST, wish)
        mishap = self.plan.creating(wish.video_id, wish.stream_url, wish.stream_key)
        if mishap is None or mishap.phase is Phase.AFTER:
            created = responses.success(responses.restream(self._add(wish)), HTTPStatus.CREATED)
            return self._spoiled(created, mishap)
        if mishap.phase is Phase.LATE:
            later(self.plan.faults.late_by, lambda: self._add(wish))
        return self._spoiled(responses.NOTHING_DONE, mishap)

    def _add(self, wish: Wish) -> Stored:
        return self.store.add(
            video_id=wish.video_id,
            title=wish.title,
            stream_url=wish.stream_url,
            stream_key=wish.stream_key,
            status=wish.status,
        )

    def _list(self, video_id: str) -> SandboxResponse:
        listed = [responses.restream(stored) for stored in self.store.of_video(video_id)]
        return self._spoiled(responses.success(listed), self.plan.listing(video_id))

    def _toggle(self, restream_id: str) -> SandboxResponse:
        toggled = self.store.toggle(restream_id)
        if toggled is None:
            return responses.NOT_FOUND
        reply = responses.success({"id": toggled.id, "status": toggled.status})
        return self._spoiled(reply, self.plan.other("toggle", restream_id))

    def _delete(self, restream_id: str) -> SandboxResponse:
        if not self.store.delete(restream_id):
            return responses.NOT_FOUND
        deleted = responses.success(result=True)
        return self._spoiled(deleted, self.plan.other("delete", restream_id))

    def _videos(self, query: str) -> SandboxResponse:
        asked = parse_qs(query)
        errors: list[str] = []

        def number(name: str, default: int) -> int:
            try:
                value = int(asked.get(name, [str(default)])[0])
            except ValueError:
                value = 0
            if value < 1:
                errors.append(f"{name} must be an integer >= 1.")
            return value

        page, take = number("page", 1), number("take", 10)
        if errors:
            return responses.failure(HTTPStatus.BAD_REQUEST, errors)
        found = self.store.videos(asked.get("search", [""])[0])
        result = {
            "currentPage": page,
            "totalPages": -(-len(found) // take),
            "pageSize": take,
            "totalCount": len(found),
            "items": [
                {"publicId": video_id} for video_id in found[(page - 1) * take : page * take]
            ],
        }
        return responses.success(result)

    def _spoiled(self, reply: SandboxResponse, mishap: ScheduledFault | None) -> SandboxResponse:
        if mishap is None:
            return reply
        self.tally.struck(mishap)
        return responses.spoil(reply, mishap.fault, self.plan.faults.retry_after)
