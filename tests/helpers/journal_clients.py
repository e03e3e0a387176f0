"""A sandbox, and clients of it that do not wait."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from restream_async import NewRestream, Origin, Outcome, RestreamClient, RetryPolicy
from restream_async._bulk.run import BulkRun
from restream_async._operations.existence import Key, key_of
from restream_async._util.clock import Clock
from restream_async.models import Created
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.settings import InDoubt
from tests.helpers.in_memory_service import SHORTEST_GRACE

LOSING: tuple[Fault, ...] = tuple(fault for fault in Fault if fault is not Fault.HANG)
"""All that can happen to an answer without waiting."""


def losses(share: float) -> dict[Fault, float]:
    return dict.fromkeys(LOSING, share / len(LOSING))


def once(*, before: Fault | None = None, after: Fault | None = None) -> Faults:
    """Let the first request for each restream fail, and no other."""
    return Faults(
        before={before: 1.0} if before else {},
        after={after: 1.0} if after else {},
        max_faults=1,
        retry_after=None,
    )


def client_of(
    sandbox: Sandbox, *, attempts: int = 5, in_doubt: InDoubt = "confirm", max_in_flight: int = 64
) -> RestreamClient:
    """Return a client whose back-off takes no time; in longer waits late commits happen."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)
        if seconds >= SHORTEST_GRACE:
            commit_late(sandbox)
            await sandbox.settle()

    return RestreamClient(
        base_url=sandbox.base_url,
        project_id=sandbox.project_id,
        api_key=sandbox.api_key,
        retry=RetryPolicy(attempts=attempts, base=0.001),
        in_doubt=in_doubt,
        max_in_flight=max_in_flight,
        clock=Clock(now=lambda: now, cpu_time=lambda: 0.0, sleep=sleep),
    )


def commit_late(sandbox: Sandbox) -> None:
    """Store what is due later now, so that no test depends on how fast the machine is."""
    timers = sandbox._server.timers  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for commit, timer in list(timers._commits.items()):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        timer.cancel()
        commit()


def copies(sandbox: Sandbox) -> Counter[Key]:
    return Counter(
        Key((item.video_id, item.stream_url, item.stream_key)) for item in sandbox.stored
    )


def each_once(sandbox: Sandbox, wanted: Iterable[NewRestream]) -> bool:
    return copies(sandbox) == Counter({key_of(item) for item in wanted})


def origins(outcomes: Iterable[Outcome]) -> list[Origin | str]:
    """Return how items ended, in the order of the input: the origin, or the name of the error."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    return [
        item.origin if isinstance(item, Created) else type(item.error).__name__ for item in ordered
    ]


async def collect(run: BulkRun) -> tuple[list[Outcome], Exception | None]:
    """Return all outcomes of a run, and what it raised in the end."""
    outcomes: list[Outcome] = []
    try:
        async for outcome in run:
            outcomes.append(outcome)  # noqa: PERF401 - kept, also where an exception ends them
    except Exception as error:  # noqa: BLE001 - whatever it is, a test looks at it
        return outcomes, error
    return outcomes, None
