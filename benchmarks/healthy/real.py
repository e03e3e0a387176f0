"""The scenes in real time, compared with a plain aiohttp loop."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from benchmarks import deadline, names, progress
from benchmarks.contestants import Create, aiohttp_session, body, pooled
from benchmarks.healthy.busy import busy
from benchmarks.healthy.outcome import FIXED, Outcome, Outcomes
from benchmarks.healthy.scenes import RateScene, Scene
from benchmarks.inputs import restreams
from benchmarks.run_report import CreationReport, Id, RunReport
from benchmarks.service import Address, Service
from benchmarks.terms import Terms
from restream_async import Created, NewRestream, RestreamClient, RestreamError
from restream_async.sandbox import Faults

_TERMS: Final = Terms(timeout=30.0)
_TIMEOUT: Final = 600.0
"""Seconds for one run: the longest takes less than one."""

Run: TypeAlias = Callable[[Scene, Address, RunReport], Coroutine[None, None, None]]


def measure(scenes: Sequence[Scene], rounds: int) -> Mapping[str, Outcomes]:
    """Run each scene so many times with ours, in turns with a fixed 64 if it is compared."""
    found: dict[str, dict[str, list[Outcome]]] = {scene.name: {} for scene in scenes}
    compared = [scene for scene in scenes if not isinstance(scene, RateScene)]
    rated = [scene for scene in scenes if isinstance(scene, RateScene)]
    for scene in compared[:1]:
        for run in _entries(scene).values():
            # The first run imports modules that all runs need.
            _measure(scene, run, seed=0)
    for turn in range(1, rounds + 1):

        def note(scene: Scene, name: str, outcome: Outcome, turn: int = turn) -> None:
            found[scene.name].setdefault(name, []).append(outcome)
            progress.log(
                f"healthy, round {turn} of {rounds}, {scene.title}, {name}: "
                f"{outcome.seconds:.2f} s, {outcome.posts:.3f} posts each, {outcome.failed} failed"
            )

        for scene in compared:
            for name, run in _entries(scene).items():
                note(scene, name, _measure(scene, run, turn))
        for scene, outcome in zip(rated, _measure_together(rated, turn), strict=True):
            note(scene, names.OURS, outcome)
    return found


def _entries(scene: Scene) -> Mapping[str, Run]:
    if scene.awaited:
        return {names.OURS: _awaited, FIXED: _plain_awaited}
    return {names.OURS: _bulk, FIXED: _plain}


def _measure_together(scenes: Sequence[Scene], seed: int) -> list[Outcome]:
    """Measure scenes at the same time: rate limits take minutes, and little CPU time."""
    with ThreadPoolExecutor(max(1, len(scenes))) as pool:
        runs = [pool.submit(_measure, scene, _bulk, seed) for scene in scenes]
        return [run.result() for run in runs]


def _measure(scene: Scene, run: Run, seed: int) -> Outcome:
    moments: list[float] = []
    run_report = RunReport(progress=lambda: moments.append(time.perf_counter()))
    settings = {"faults": Faults(), **scene.settings}
    with Service(seed=seed, **settings) as service, busy(scene.busy):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        began = time.perf_counter()
        service.schedule(scene.changes)
        deadline.run(run(scene, service.address, run_report), _TIMEOUT)
        ended = time.perf_counter()
        final = service.final_state()
    keys = {(item.video_id, item.stream_url, item.stream_key) for item in final.stored}
    return Outcome(
        seconds=moments[-1] - began,
        ended=ended - began,
        posts=final.counts.posts / scene.count,
        limited=final.counts.limited,
        failed=sum(bool(report.error) for report in run_report.reports.values()),
        twice=len(final.stored) - len(keys),
    )


def _client(address: Address) -> RestreamClient:
    return RestreamClient(
        base_url=address.base_url,
        project_id=address.project_id,
        api_key=address.api_key,
        max_in_flight=_TERMS.in_flight,
    )


async def _bulk(scene: Scene, address: Address, run_report: RunReport) -> None:
    async with (
        _client(address) as client,
        client.create_many(restreams(scene.count), ensure=scene.ensure) as run,
    ):
        async for outcome in run:
            error = "" if isinstance(outcome, Created) else type(outcome.error).__name__
            run_report.add(CreationReport(index=outcome.index, error=error))


async def _awaited(scene: Scene, address: Address, run_report: RunReport) -> None:
    async with _client(address) as client:

        async def create(new: NewRestream) -> Id:
            return (await client.create(new)).id

        await _all_at_once(scene, create, run_report)


async def _plain(scene: Scene, address: Address, run_report: RunReport) -> None:
    await pooled(_aiohttp, _TERMS)(address, restreams(scene.count), run_report)


async def _plain_awaited(scene: Scene, address: Address, run_report: RunReport) -> None:
    async with _aiohttp(address, _TERMS) as create:
        await _all_at_once(scene, create, run_report)


async def _all_at_once(scene: Scene, create: Create, run_report: RunReport) -> None:
    async def create_one(index: int, new: NewRestream) -> None:
        try:
            report = CreationReport(index=index, id=await create(new))
        except RestreamError as error:
            report = CreationReport(index=index, error=type(error).__name__)
        run_report.add(report)

    await asyncio.gather(*(create_one(*item) for item in enumerate(restreams(scene.count))))


@asynccontextmanager
async def _aiohttp(address: Address, terms: Terms) -> AsyncGenerator[Create]:
    """Open aiohttp without retries, because nothing fails here."""
    async with aiohttp_session(address, terms) as session:

        async def create(new: NewRestream) -> Id:
            async with session.post(address.route, json=body(new)) as response:
                response.raise_for_status()
                created: dict[str, dict[str, Id]] = await response.json()
                return created["result"]["id"]

        yield create
