"""The service: what it does with a request, and its response."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import parse_qs

from restream_async.sandbox import responses
from restream_async.sandbox.counts import CountsRecorder
from restream_async.sandbox.fault_schedule import FaultSchedule, Phase, ScheduledFault
from restream_async.sandbox.requests import Endpoint, SandboxRequest, read_create_body
from restream_async.sandbox.restream_store import Ids, RestreamStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from restream_async.sandbox.faults import Faults
    from restream_async.sandbox.responses import SandboxResponse


class RunLater(Protocol):
    """Runs an action later."""

    def __call__(self, seconds: float, action: Callable[[], object], /) -> None:
        """Run `action` in `seconds`."""
        ...


class Service:
    """The endpoints, with a store and a fault schedule. Has no clock and no network of its own."""

    def __init__(
        self, *, faults: Faults, seed: int, api_key: str, project_id: str, ids: Ids
    ) -> None:
        """Serve one project, empty at first."""
        self.schedule = FaultSchedule(faults, seed)
        self.store = RestreamStore(ids)
        self.counts = CountsRecorder()
        self.outage = False
        self.api_key: Final = api_key
        self.project_id: Final = project_id
        self._credentials = frozenset({api_key, f"Bearer {api_key}"})

    def respond(
        self, request: SandboxRequest, authorization: str, body: bytes, run_later: RunLater
    ) -> SandboxResponse:
        """Process a request, and return the response that the client gets."""
        if self.outage:
            return self.unavailable()
        if authorization not in self._credentials:
            return responses.UNAUTHORIZED
        if request.project_id != self.project_id:
            return responses.NOT_FOUND
        return self._process(request, body, run_later)

    def unavailable(self) -> SandboxResponse:
        """Return the cache's page for a service that it cannot reach."""
        return responses.backend_fetch_failed(self.schedule.faults.retry_after)

    def _process(
        self, request: SandboxRequest, body: bytes, run_later: RunLater
    ) -> SandboxResponse:
        match request.endpoint:
            case Endpoint.CREATE:
                return self._create(body, run_later)
            case Endpoint.LIST:
                return self._list(request.target_id)
            case Endpoint.TOGGLE:
                return self._change("toggle", request.target_id)
            case Endpoint.DELETE:
                return self._change("delete", request.target_id)
            case Endpoint.VIDEOS:
                return self._videos(request.query)
            case _:
                return responses.NOT_FOUND

    def _create(self, body: bytes, run_later: RunLater) -> SandboxResponse:
        wanted = read_create_body(body)
        if isinstance(wanted, list):
            return responses.failure(HTTPStatus.BAD_REQUEST, wanted)
        fault = self.schedule.for_create(wanted.video_id, wanted.stream_url, wanted.stream_key)
        if fault is None or fault.phase is Phase.AFTER:
            created = responses.success(
                responses.restream(self.store.add(wanted)), HTTPStatus.CREATED
            )
            return self._with_fault(created, fault)
        if fault.phase is Phase.LATE:
            run_later(self.schedule.faults.late_by, lambda: self.store.add(wanted))
        return self._with_fault(responses.NO_RESULT, fault)

    def _list(self, video_id: str) -> SandboxResponse:
        listed = [responses.restream(stored) for stored in self.store.of_video(video_id)]
        return self._with_fault(responses.success(listed), self.schedule.for_list(video_id))

    def _change(self, call: Literal["toggle", "delete"], restream_id: str) -> SandboxResponse:
        stored = self.store.get(restream_id)
        if stored is None:
            return responses.NOT_FOUND
        fault = self.schedule.for_other(call, restream_id, stored.video_id)
        if fault is not None and fault.phase is Phase.OTHER_BEFORE:
            return self._with_fault(responses.NO_RESULT, fault)
        if call == "delete":
            self.store.delete(stored)
            return self._with_fault(responses.success(result=True), fault)
        toggled = self.store.toggle(stored)
        changed = responses.success({"id": toggled.id, "status": toggled.status})
        return self._with_fault(changed, fault)

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

    def _with_fault(
        self, response: SandboxResponse, fault: ScheduledFault | None
    ) -> SandboxResponse:
        if fault is None:
            return response
        self.counts.met(fault)
        return responses.with_fault(response, fault, self.schedule.faults)
