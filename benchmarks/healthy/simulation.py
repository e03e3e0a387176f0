"""The scenes in simulated time: the whole client, and the sandbox without a network."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Final, TypeAlias

from benchmarks import names
from benchmarks.healthy.fixed import executor_with_fixed_limit
from benchmarks.healthy.outcome import FIXED, Outcome, Outcomes
from benchmarks.healthy.scenes import RateScene, Scene
from benchmarks.inputs import restreams
from benchmarks.terms import IN_FLIGHT
from restream_async import Created, NewRestream, RetryPolicy
from restream_async._bulk.run import BulkRun
from restream_async._http.api import Api
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._operations.create import Creator
from restream_async._operations.create_result import CreateSucceeded
from restream_async._retry.executor import RequestExecutor, Sender
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from restream_async.sandbox.requests import read_request
from tests.helpers.simulated_time import now, simulated

_ROUND_TRIP: Final = 0.001
"""Seconds of the way of a request and its response together."""
_TIMEOUT: Final = 30.0
_PATIENCE: Final = 300.0
_LONGEST: Final = 3600.0
"""Simulated seconds; a run that takes longer has gone wrong."""
_DEFAULTS: Final = RetryPolicy()

Opening: TypeAlias = Callable[[Sender, Clock], RequestExecutor]


def _ours(exchange: Sender, clock: Clock) -> RequestExecutor:
    return RequestExecutor.adaptive(
        exchange,
        ceiling=IN_FLIGHT,
        patience=_PATIENCE,
        policy=_DEFAULTS,
        clock=clock,
        timeout=_TIMEOUT,
    )


def _fixed(exchange: Sender, clock: Clock) -> RequestExecutor:
    return executor_with_fixed_limit(
        exchange, patience=_PATIENCE, policy=_DEFAULTS, clock=clock, timeout=_TIMEOUT
    )


CONTESTANTS: Final[Mapping[str, Opening]] = {names.OURS: _ours, FIXED: _fixed}


def simulate(scene: Scene, name: str, seed: int) -> Outcome:
    """Run a contestant through a scene. With the same seed all meet the same service."""
    outcomes: list[Outcome] = []

    @simulated
    async def program() -> None:
        async with asyncio.timeout(_LONGEST):
            outcomes.append(await _run(scene, CONTESTANTS[name], seed))

    program()
    return outcomes[0]


def simulate_all(scenes: Sequence[Scene], seeds: int) -> Mapping[str, Outcomes]:
    """Run all contestants through scenes; random scenes with so many seeds."""
    jobs = [
        (scene, name, seed)
        for scene in scenes
        for name in contestants(scene)
        for seed in range(1, 1 + (seeds if scene.noisy else 1))
    ]
    found: dict[str, dict[str, list[Outcome]]] = {}
    with ProcessPoolExecutor() as pool:
        outcomes = pool.map(simulate, *zip(*jobs, strict=True))
        for (scene, name, _), outcome in zip(jobs, outcomes, strict=True):
            found.setdefault(scene.name, {}).setdefault(name, []).append(outcome)
    return found


def contestants(scene: Scene) -> Sequence[str]:
    """Return the contestants; with a rate limit there is none to compare with."""
    return (names.OURS,) if isinstance(scene, RateScene) else (names.OURS, FIXED)


class _Service(Sandbox):
    """A sandbox without a network. A `Sender`."""

    closed_reason = ""

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        """Exchange a request for an answer."""
        parsed = read_request(request.method, request.path)
        request.sent = request.method != "GET"
        counts = self._service.counts
        counts.started(parsed.endpoint)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(_ROUND_TRIP)
                reply = await self._server.respond(parsed, self.api_key, request.body or b"")
        except TimeoutError:
            return NoResponse(detail="no answer", sent=request.sent, timed_out=True)
        finally:
            counts.ended()
        status, headers = _read_head(reply.head)
        return Response(status=status, headers=headers, body=reply.body)


@lru_cache
def _read_head(head: bytes) -> tuple[int, Mapping[str, str]]:
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    return int(first.split(" ")[1]), headers


async def _run(scene: Scene, opening: Opening, seed: int) -> Outcome:
    service = _Service(seed=seed, **scene.settings)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    loop = asyncio.get_running_loop()
    for seconds, attribute, value in scene.changes:
        loop.call_later(seconds, setattr, service, attribute, value)
    clock = Clock(
        now=now,
        cpu_time=lambda: 0.0,
        wall_clock=now,
        sleep=asyncio.sleep,
        random=random.Random(seed).random,
    )
    executor = opening(service, clock)
    creator = Creator(executor, Api(service.project_id), "confirm")
    work = _awaited if scene.awaited else _bulk
    try:
        failed, seconds = await work(scene, executor, creator, Api(service.project_id))
        ended = now()
    finally:
        await executor.limiter.close()
    counts = service.counts
    return Outcome(
        seconds=seconds,
        ended=ended,
        posts=counts.posts / scene.count,
        limited=counts.limited,
        failed=failed,
        twice=len(service.duplicates()),
    )


async def _bulk(
    scene: Scene, executor: RequestExecutor, creator: Creator, api: Api
) -> tuple[int, float]:
    failed, last = 0, 0.0
    async with BulkRun(executor, api, creator, restreams(scene.count), ensure=scene.ensure) as run:
        async for outcome in run:
            failed += not isinstance(outcome, Created)
            last = now()
    return failed, last


async def _awaited(
    scene: Scene, executor: RequestExecutor, creator: Creator, api: Api
) -> tuple[int, float]:
    del api

    async def create(new: NewRestream) -> bool:
        return isinstance(await creator.create(new, executor.begin_call()), CreateSucceeded)

    done = await asyncio.gather(*(create(new) for new in restreams(scene.count)))
    return done.count(False), now()
