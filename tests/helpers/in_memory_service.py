"""The service in memory: what each request meets is chosen by the test, and nothing is slow."""

import asyncio
import enum
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterable, Callable, Iterable
from http import HTTPStatus
from itertools import count
from pathlib import Path
from urllib.parse import unquote

import attrs

from restream_async import NewRestream, Restream, RetryPolicy
from restream_async._bulk.repeats import Repeats
from restream_async._bulk.run import BulkRun
from restream_async._http import serialization
from restream_async._http.api import Api
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._journal.entries import Identity
from restream_async._journal.journal import Journal
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._operations.create import Creator
from restream_async._operations.existence import Key, key_of
from restream_async._retry.executor import RequestExecutor
from restream_async.settings import InDoubt
from restream_async.testing import instant_clock
from tests.helpers.examples import to_json_fields

IDENTITY = Identity(base_url="https://service.example", project_id="p1", api_key="api-key-0c3f9a1d")
SHORTEST_GRACE = 0.5
"""Seconds. A longer sleep waits for late commits, as no back-off of these clients is as long."""


def new(key: str = "a", *, video: str = "v1") -> NewRestream:
    return NewRestream(
        video_id=video,
        title="YouTube",
        stream_url="rtmps://live.example/app",
        stream_key=f"stream-key-{key}",
        status=True,
    )


class Fate(enum.Enum):
    """What becomes of a request."""

    DONE = "done"
    REFUSED = "refused"
    """400, and nothing happened."""
    NOT_FOUND = "not found"
    """404, and nothing happened."""
    NOT_ALLOWED = "not allowed"
    """405, and nothing happened: there is no such call."""
    TURNED_AWAY = "turned away"
    """429, and nothing happened."""
    UNSENT = "unsent"
    """No connection."""
    LOST_BEFORE = "lost before"
    """503, and nothing happened."""
    LOST_AFTER = "lost after"
    """503, and it happened."""
    LATE = "late"
    """503, and it happens in the end of a run, when late commits are waited for."""
    DONE_TWICE = "done twice"
    """A cache in between sent it twice; the second answer comes."""


_STATUS = {
    Fate.REFUSED: HTTPStatus.BAD_REQUEST,
    Fate.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Fate.NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Fate.TURNED_AWAY: HTTPStatus.TOO_MANY_REQUESTS,
}
_HAPPENS = {Fate.DONE, Fate.LOST_AFTER, Fate.DONE_TWICE}
_ANSWERED = {Fate.DONE, Fate.DONE_TWICE}


class Backend:
    """Stores restreams, toggles, deletes and lists them, and counts what it is asked.

    `watch` is called with the method of each request when it has arrived, and `watch_answer` when
    it was served and its answer has not left.
    """

    closed_reason = ""

    def __init__(self) -> None:
        self.stored: list[Restream] = []
        self.sent: list[Request] = []
        self.timeouts: list[float] = []
        self.fates: defaultdict[tuple[str, str | None], deque[Fate]] = defaultdict(deque)
        self.choose: Callable[[Request], Fate] = self._next
        self.watch: Callable[[str], None] = lambda _: None
        self.watch_answer: Callable[[str], None] = lambda _: None
        self.turns = 1
        self.show: Callable[[dict[str, object]], dict[str, object]] = lambda fields: fields
        self.arrived: dict[object, Request] = {}
        self._numbers = count(1)
        self._late: list[Request] = []

    def meets(self, method: str, *fates: Fate, video: str | None = None) -> None:
        """Let the next requests of a method end like this, and all after them well."""
        self.fates[method, video].extend(fates)

    def add(self, wanted: NewRestream) -> Restream:
        """Have a restream that nobody here asked for."""
        fields = to_json_fields(wanted)
        restream = serialization.read_restream({"id": next(self._numbers), **fields})
        self.stored.append(restream)
        return restream

    def abandon(self, *, served: bool) -> None:
        """Have the senders of all that has arrived gone; do it all the same, or lose it."""
        arrived, self.arrived = self.arrived, {}
        for request in arrived.values() if served else ():
            self._do(request)

    def settle(self) -> None:
        """Do what was promised late."""
        late, self._late = self._late, []
        for request in late:
            self._do(request)

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.sent)

    def ids_of(self, wanted: NewRestream) -> list[int | str]:
        return [item.id for item in self.stored if key_of(item) == key_of(wanted)]

    @property
    def copies(self) -> dict[Key, int]:
        counted: defaultdict[Key, int] = defaultdict(int)
        for item in self.stored:
            counted[key_of(item)] += 1
        return dict(counted)

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        self.sent.append(request)
        self.timeouts.append(timeout)
        request.sent = request.method != "GET"
        ticket = object()
        self.arrived[ticket] = request
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.watch(request.method)
        if self.arrived.pop(ticket, None) is None:
            # Its sender is gone, and will be told so in a moment.
            await asyncio.Event().wait()
        fate = self.choose(request)
        if fate is Fate.UNSENT:
            request.sent = False
            return NoResponse(detail="connection refused", sent=False)
        if fate is Fate.LATE:
            self._late.append(request)
        if fate is Fate.DONE_TWICE:
            self._do(request)
        reply = self._do(request) if fate in _HAPPENS else None
        self.watch_answer(request.method)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if reply is not None and fate in _ANSWERED:
            return reply
        return Response(status=_STATUS.get(fate, HTTPStatus.SERVICE_UNAVAILABLE))

    def _next(self, request: Request) -> Fate:
        for video in (request.video_id, None):
            if fates := self.fates[request.method, video]:
                return fates.popleft()
        return Fate.DONE

    def _do(self, request: Request) -> Response:
        if request.method == "POST" and request.new is not None:
            return _success(to_json_fields(self.add(request.new)))
        if request.method == "GET":
            listed = [item for item in self.stored if item.video_id == request.video_id]
            return _success([self.show(to_json_fields(item)) for item in listed])
        if request.method == "PUT":
            return self._toggle(request)
        wanted = unquote(request.path.rpartition("/")[2])
        kept = [item for item in self.stored if str(item.id) != wanted]
        if kept == self.stored:
            return Response(status=HTTPStatus.NOT_FOUND)
        self.stored = kept
        return _success(result=True)

    def _toggle(self, request: Request) -> Response:
        for place, item in enumerate(self.stored):
            if str(item.id) == request.restream_id:
                toggled = self.stored[place] = attrs.evolve(item, status=not item.status)
                return _success({"id": toggled.id, "status": toggled.status})
        return Response(status=HTTPStatus.NOT_FOUND)


def _success(result: object) -> Response:
    return Response(status=200, body=json.dumps({"success": True, "result": result}).encode())


@attrs.frozen(kw_only=True)
class InMemoryClient:
    """What a `RestreamClient` is made of, over a backend in memory."""

    executor: RequestExecutor
    api: Api
    creator: Creator
    slept: list[float]

    def run(
        self,
        *requests: NewRestream,
        journal: Path | None = None,
        source: Iterable[NewRestream] | AsyncIterable[NewRestream] | None = None,
        repair: bool = False,
        ensure: bool = False,
        repeats: Repeats = "existing",
    ) -> BulkRun:
        return BulkRun(
            self.executor,
            self.api,
            self.creator,
            requests if source is None else source,
            journal=Journal(journal, IDENTITY) if journal is not None else None,
            repair=repair,
            ensure=ensure,
            repeats=repeats,
        )


def in_memory_client(
    backend: Backend,
    *,
    in_doubt: InDoubt = "confirm",
    attempts: int = 3,
    limit: int = 8,
    timeout: float = 30.0,
) -> InMemoryClient:
    """Return a client whose waits take no time; late commits come in the long ones."""
    clock = instant_clock()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await clock.sleep(seconds)
        if seconds >= SHORTEST_GRACE:
            backend.settle()

    api = Api(IDENTITY.project_id)
    caller = RequestExecutor(
        transport=backend,
        limiter=ConcurrencyLimiter.adaptive(limit, 300.0, clock),
        policy=RetryPolicy(attempts=attempts, base=0.001),
        clock=attrs.evolve(clock, sleep=sleep),
        timeout=timeout,
        secrets=(IDENTITY.api_key,),
    )
    return InMemoryClient(
        executor=caller, api=api, creator=Creator(caller, api, in_doubt), slept=slept
    )
