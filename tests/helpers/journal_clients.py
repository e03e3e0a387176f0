"""A sandbox, and clients of it that do not wait."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from restream_async import NewRestream, Origin, Outcome, RestreamClient, RetryPolicy
from restream_async._bulk.run import BulkRun
from restream_async._operations.existence import Key, key_of
from restream_async.models import Created
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock
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


def late_commit_client(
    sandbox: Sandbox,
    *,
    attempts: int = 5,
    **settings: Any,  # noqa: ANN401 - of a client
) -> RestreamClient:
    """Return a client whose back-off is short; in longer sleeps late commits happen."""

    async def commit() -> None:
        if clock.sleeps[-1] >= SHORTEST_GRACE:
            commit_late(sandbox)
            await sandbox.settle()

    clock = FastClock(meanwhile=commit)
    retry = RetryPolicy(attempts=attempts, base=0.001)
    return client_of(sandbox, clock=clock, retry=retry, **settings)


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
