"""A run with a journal that is killed many times and then completed: each restream exists once.

    python -m pip install -e '.[test]' && python -m benchmarks.kill9

The service is a sandbox in this process, which fails on purpose; the run is a process of its own,
which gets SIGKILL at random moments. Exits with 1 if a restream is lost or there twice.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import progress
from benchmarks.inputs import restreams
from restream_async import RestreamClient, RetryPolicy
from restream_async.sandbox import Fault, Faults, Sandbox

_LOSING: Final = tuple(fault for fault in Fault if fault is not Fault.HANG)
_FAULTS: Final = Faults(
    before=dict.fromkeys(_LOSING, 0.01), after=dict.fromkeys(_LOSING, 0.016), retry_after=None
)
_TIMEOUT: Final = 600.0
"""Seconds for one run, killed or not."""


def main() -> int:
    """Run what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill9",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=10_000, help="creations (10,000)")
    parser.add_argument("--kills", type=int, default=100, help="how often to kill (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the moments (1)")
    parser.add_argument("--journal", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.journal is not None:
        asyncio.run(_run(arguments.count, arguments.journal))
        return 0
    return asyncio.run(_kill(arguments.count, arguments.kills, arguments.seed))


async def _run(count: int, journal: str) -> None:
    async with RestreamClient(retry=RetryPolicy(base=0.05)) as client:
        async with client.create_many(restreams(count), journal=journal) as run:
            async for _ in run:
                pass
        if run.counts.failed or run.counts.created != count:
            sys.exit(f"not all were created: {run.counts}")


async def _kill(count: int, kills: int, seed: int) -> int:
    chance = random.Random(seed)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(faults=_FAULTS, seed=seed) as sandbox:
            command = [sys.executable, "-m", "benchmarks.kill9", "--count", str(count)]
            command += ["--journal", str(Path(folder) / "run.db")]
            environment = {
                **os.environ,
                "RESTREAM_BASE_URL": sandbox.base_url,
                "RESTREAM_PROJECT_ID": sandbox.project_id,
                "RESTREAM_API_KEY": sandbox.api_key,
            }
            killed = completed = 0
            while not completed:
                stored = sandbox.counts.stored
                process = await asyncio.create_subprocess_exec(*command, env=environment)
                try:
                    async with asyncio.timeout(_TIMEOUT):
                        # Once it has started to send, kill it at a random moment.
                        while killed < kills and process.returncode is None:
                            if sandbox.counts.stored == stored < count:
                                await asyncio.sleep(0.005)
                                continue
                            await asyncio.sleep(chance.uniform(0.0, 0.1))
                            break
                        if killed < kills and process.returncode is None:
                            process.kill()
                            killed += 1
                            progress.log(
                                f"killed {killed} of {kills}, {sandbox.counts.stored:,} stored"
                            )
                        code = await process.wait()
                finally:
                    if process.returncode is None:
                        process.kill()
                if code > 0:
                    progress.log(f"the run ended with {code}")
                    return 1
                completed = int(code == 0)
            twice = len(sandbox.duplicates())
            once = len({item.stream_key for item in sandbox.stored})
            posts, lists = sandbox.counts.posts, sandbox.counts.lists
    print(f"{killed} kills over {count:,} creations, in {time.perf_counter() - began:.0f} s:")
    print(f"  exactly once {once - twice:,}, twice {twice:,}, lost {count - once:,}")
    print(f"  {posts:,} posts, {lists:,} existence checks")
    return int(bool(twice or once != count or killed < kills))


if __name__ == "__main__":
    sys.exit(main())
