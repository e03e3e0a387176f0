"""`kill -9` at random moments, again and again: each exactly once in the end.

The long version, of 100 kills over 10,000 creations, is `python -m benchmarks.kill9`.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from restream_async._bulk.report import BulkCounts
from restream_async.sandbox import Faults, Sandbox
from tests.helpers import killed_processes
from tests.helpers.forked_processes import other
from tests.helpers.journal_clients import each_once, losses

NUMBER = 300
KILLS = 8
FAULTS = Faults(
    before=losses(0.1), after=losses(0.15), listing=losses(0.05), max_faults=2, retry_after=None
)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_run_killed_again_and_again_creates_each_exactly_once(
    path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    moments = sorted(chance.randrange(NUMBER) for _ in range(KILLS))
    latency = chance.uniform(0.001, 0.004)
    reported: dict[int, int | str] = {}
    async with Sandbox(faults=FAULTS, seed=seed, latency=latency) as sandbox:
        address = killed_processes.Address(
            base_url=sandbox.base_url, project_id=sandbox.project_id, api_key=sandbox.api_key
        )
        for moment in moments:
            async with other(killed_processes.creates, address, path, NUMBER) as process:
                # Listened to all the time: whoever is not, does not get far.
                listening = asyncio.create_task(asyncio.to_thread(process.words))
                while len(sandbox.stored) <= moment:  # noqa: ASYNC110 - the sandbox tells nobody
                    await asyncio.sleep(0.001)
                await asyncio.sleep(chance.uniform(0, 0.01))
                process.process.kill()
                words = await listening
                assert process.process.exitcode == -signal.SIGKILL
            keep(words, reported)
            # What the service has begun, it finishes: nobody can know of it before.
            await sandbox.settle()
        async with other(killed_processes.creates, address, path, NUMBER) as process:
            *words, counts = await asyncio.to_thread(process.words)
        keep(words, reported)
        assert each_once(sandbox, killed_processes.wanted(NUMBER))
        ids = {item.stream_key: item.id for item in sandbox.stored}
    wanted = list(killed_processes.wanted(NUMBER))
    assert isinstance(counts, BulkCounts)
    assert counts.created == len(wanted)
    assert counts.from_journal
    assert {index: ids[wanted[index].stream_key] for index in range(len(wanted))} == reported


def keep(words: list[tuple[int, int | str | None]], reported: dict[int, int | str]) -> None:
    """Keep what was reported; whatever once was reported as created stays so."""
    for word in words:
        index, identifier = word
        assert identifier is not None
        assert reported.setdefault(index, identifier) == identifier
