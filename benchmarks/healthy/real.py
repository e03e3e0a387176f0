"""The scenes in real time: the sandbox in a process of its own, and a plain aiohttp loop beside."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from benchmarks import deadline, names, progress
from benchmarks.account import Account, Id, Report
from benchmarks.contestants import Create, aiohttp_session, body, pooled
from benchmarks.healthy.busy import busy
from benchmarks.healthy.outcome import FIXED, Outcome, Outcomes
from benchmarks.healthy.scenes import RateScene, Scene
from benchmarks.inputs import restreams
from benchmarks.service import Address, Service
from benchmarks.terms import Terms
from restream_async import Created, NewRestream, RestreamClient, RestreamError
from restream_async.sandbox import Faults

_TERMS: Final = Terms(timeout=30.0)
_PATIENCE: Final = 600.0
"""Seconds for one run: the longest takes less than one."""

Run: TypeAlias = Callable[[Scene, Address, Account], Coroutine[None, None, None]]


def measure(scenes: Sequence[Scene], rounds: int) -> Mapping[str, Outcomes]:
    """Let all who are compared through scenes, by turns."""
    found: dict[str, dict[str, list[Outcome]]] = {scene.name: {} for scene in scenes}
    for run in _entries(scenes[0]).values():
        # Whoever comes first would pay for what both import.
        _measure(scenes[0], run, seed=0)
    for turn in range(1, rounds + 1):
        for scene in (scene.as_real for scene in scenes):
            for name, run in _entries(scene).items():
                outcome = _measure(scene, run, turn)
                found[scene.name].setdefault(name, []).append(outcome)
                progress.say(
                    f"healthy, round {turn} of {rounds}, {scene.title}, {name}: "
                    f"{outcome.seconds:.2f} s, {outcome.posts:.3f} posts each, "
                    f"{outcome.failed} failed"
                )
    return found


def _entries(scene: Scene) -> Mapping[str, Run]:
    entries: dict[str, Run] = {names.OURS: _awaited if scene.awaited else _bulk}
    if not isinstance(scene, RateScene):
        entries[FIXED] = _plain_awaited if scene.awaited else _plain
    return entries


def _measure(scene: Scene, run: Run, seed: int) -> Outcome:
    moments: list[float] = []
    account = Account(progress=lambda: moments.append(time.perf_counter()))
    settings = {"faults": Faults(), **scene.settings}
    with Service(seed=seed, **settings) as service, busy(scene.busy):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        began = time.perf_counter()
        service.begin(scene.changes)
        deadline.run(run(scene, service.address, account), _PATIENCE)
        ended = time.perf_counter()
        books = service.books()
    keys = {(item.video_id, item.stream_url, item.stream_key) for item in books.stored}
    return Outcome(
        seconds=moments[-1] - began,
        ended=ended - began,
        posts=books.counts.posts / scene.count,
        limited=books.counts.limited,
        failed=sum(bool(report.error) for report in account.reports.values()),
        twice=len(books.stored) - len(keys),
    )


def _client(address: Address) -> RestreamClient:
    return RestreamClient(
        base_url=address.base_url,
        project_id=address.project_id,
        api_key=address.api_key,
        max_in_flight=_TERMS.in_flight,
    )


async def _bulk(scene: Scene, address: Address, account: Account) -> None:
    async with (
        _client(address) as client,
        client.create_many(restreams(scene.count), ensure=scene.ensure) as run,
    ):
        async for outcome in run:
            error = "" if isinstance(outcome, Created) else type(outcome.error).__name__
            account.say(Report(index=outcome.index, error=error))


async def _awaited(scene: Scene, address: Address, account: Account) -> None:
    async with _client(address) as client:

        async def create(new: NewRestream) -> Id:
            return (await client.create(new)).id

        await _all_at_once(scene, create, account)


async def _plain(scene: Scene, address: Address, account: Account) -> None:
    await pooled(_aiohttp, _TERMS)(address, restreams(scene.count), account)


async def _plain_awaited(scene: Scene, address: Address, account: Account) -> None:
    async with _aiohttp(address, _TERMS) as create:
        await _all_at_once(scene, create, account)


async def _all_at_once(scene: Scene, create: Create, account: Account) -> None:
    async def say(index: int, new: NewRestream) -> None:
        try:
            report = Report(index=index, id=await create(new))
        except RestreamError as error:
            report = Report(index=index, error=type(error).__name__)
        account.say(report)

    await asyncio.gather(*(say(*item) for item in enumerate(restreams(scene.count))))


@asynccontextmanager
async def _aiohttp(address: Address, terms: Terms) -> AsyncGenerator[Create]:
    """Open aiohttp without retries: here nothing fails."""
    async with aiohttp_session(address, terms) as session:

        async def create(new: NewRestream) -> Id:
            async with session.post(address.route, json=body(new)) as response:
                response.raise_for_status()
                created: dict[str, dict[str, Id]] = await response.json()
                return created["result"]["id"]

        yield create
