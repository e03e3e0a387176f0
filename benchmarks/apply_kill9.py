"""`apply --rotate --prune`, killed many times: the end is the wanted state, and never a gap.

    python -m pip install -e '.[test]' && python -m benchmarks.apply_kill9

The service is a sandbox in this process, which fails on purpose. In each round most stream keys and
some statuses are new, and videos have extra restreams and second copies. The command line runs in a
process of its own. It gets SIGKILL at random requests: before the request takes effect, after its
effect and before its answer, or some milliseconds later. Then the same command runs again, until it
ends by itself.

After every request, each destination that existed must still exist, with its old key or its new
one. After every round, the sandbox must hold exactly what is wanted. Exits with 1 otherwise.
"""

import argparse
import asyncio
import csv
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from benchmarks import progress
from benchmarks.watched_sandbox import Watch
from restream_async import NewRestream
from restream_async.cli import main as main_of_command_line
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.sandbox.requests import CreateBody
from restream_async.sandbox.restream_store import Stored

_LOSING: Final[tuple[Fault, ...]] = tuple(fault for fault in Fault if fault is not Fault.HANG)
_BEFORE: Final[Mapping[Fault, float]] = dict.fromkeys(_LOSING, 0.05 / len(_LOSING))
_AFTER: Final[Mapping[Fault, float]] = dict.fromkeys(_LOSING, 0.08 / len(_LOSING))
FAULTS: Final = Faults(
    before=_BEFORE, after=_AFTER, listing=_BEFORE, other=_AFTER, retry_after=None, max_faults=3
)
_DESTINATIONS: Final = {
    "YouTube": "rtmps://a.rtmps.youtube.com:443/live2",
    "Twitch": "rtmp://live.twitch.tv/app",
    "Own server": "rtmp://media.example.com/live",
}
_COLUMNS: Final = ("videoId", "title", "streamUrl", "streamKey", "status")
_NEW_KEYS: Final = 0.8
"""How many of the stream keys are new in each round."""
_FEWEST: Final = 2
"""Rounds, so that one of them replaces keys."""
_TIMEOUT: Final = 120.0
"""Seconds for one run, killed or not."""

# Forked from a process that has imported everything, so that a run takes no second to start.
_CONTEXT: Final = multiprocessing.get_context("forkserver")

_Moment: TypeAlias = tuple[int, str, float]
"""A request, whether to kill before or after its effect, and seconds after that."""


@attrs.define(kw_only=True)
class Result:
    """What happened.

    Attributes:
        kills: how many runs were killed.
        completed: how many runs ended by themselves.
        requests: how many requests the sandbox answered.
        problems: what should not have happened, in words.

    """

    kills: int = 0
    completed: int = 0
    requests: int = 0
    problems: list[str] = attrs.field(factory=list[str])


def main() -> int:
    """Run what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.apply_kill9",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, default=50, help="videos of 3 destinations (50)")
    parser.add_argument("--kills", type=int, default=50, help="how often to kill (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the moments (1)")
    arguments = parser.parse_args()
    start = time.perf_counter()
    result = asyncio.run(kill_again_and_again(arguments.videos, arguments.kills, arguments.seed))
    took = time.perf_counter() - start
    print(
        f"{result.kills} kills of apply, {result.completed} runs to the end, "
        f"{result.requests:,} requests, in {took:.0f} s:"
    )
    print("\n".join(f"  {problem}" for problem in result.problems or ["no gap, nothing wrong"]))
    return int(bool(result.problems))


async def kill_again_and_again(videos: int, kills: int, seed: int) -> Result:
    """Kill `apply` so many times, in as many rounds as it takes, and say what happened."""
    _CONTEXT.set_forkserver_preload(["restream_async.cli.app", __name__])
    chance = random.Random(seed)
    wanted = _wanted(videos)
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(faults=FAULTS, seed=seed, latency=_latency) as sandbox:
            rounds = _Rounds(
                file=Path(folder) / "wanted.csv",
                sandbox=sandbox,
                watch=Watch.over(sandbox),
                chance=chance,
                videos=videos,
                kills=kills,
            )
            result = rounds.result
            # The first round creates everything; the others change it.
            while (result.kills < kills or result.completed < _FEWEST) and not result.problems:
                await rounds.run(wanted)
                wanted = [_changed(each, result.completed, chance) for each in wanted]
                _add_strangers(rounds.watch, chance)
            result.requests = rounds.watch.requests
    return result


@attrs.define(kw_only=True)
class _Rounds:
    """Runs `apply` on one input after the other, and kills it."""

    file: Path
    sandbox: Sandbox
    watch: Watch
    chance: random.Random
    videos: int
    kills: int
    result: Result = attrs.field(factory=Result)

    async def run(self, wanted: Sequence[NewRestream]) -> None:
        """Apply an input until the command ends by itself, and check what is there then."""
        _write(self.file, wanted)
        self.watch.expect(wanted)
        result = self.result
        while (code := await self._apply(self._moment())) < 0:
            result.kills += 1
            stored = len(self.watch.store)
            progress.log(f"killed {result.kills} of {self.kills}, {stored} restreams stored")
            # What the service has begun, it finishes; no client can know of it before.
            await self.sandbox.settle()
        result.completed += 1
        if code:
            result.problems.append(f"apply ended with {code}")
        await self.sandbox.settle()
        result.problems += self.watch.gaps + _differences(wanted, self.sandbox.stored)

    def _moment(self) -> _Moment | None:
        """Return when to kill the next run, or None to let it end."""
        if self.result.kills >= self.kills:
            return None
        # An apply sends about eight requests for each video, and fewer if it goes on.
        return (
            self.chance.randint(1, 8 * self.videos),
            self.chance.choice(["before", "after"]),
            self.chance.choice([0.0, 0.0, 0.01]),
        )

    async def _apply(self, moment: _Moment | None) -> int:
        """Run `apply`, and return its exit code; minus the signal if it was killed."""
        sandbox = self.sandbox
        settings = {
            "RESTREAM_BASE_URL": sandbox.base_url,
            "RESTREAM_PROJECT_ID": sandbox.project_id,
            "RESTREAM_API_KEY": sandbox.api_key,
        }
        process = _CONTEXT.Process(target=_run_apply, args=(self.file, settings), daemon=True)

        def on_request(now: str) -> None:
            if moment is None or now != moment[1]:
                return
            if moment[2]:
                asyncio.get_running_loop().call_later(moment[2], process.kill)
            else:
                process.kill()

        self.watch.at_request(moment[0] if moment else 0, on_request)
        await asyncio.to_thread(process.start)
        try:
            await asyncio.to_thread(process.join, _TIMEOUT)
        finally:
            process.kill()
        code = process.exitcode
        if code is None:
            raise TimeoutError(f"apply was not done after {_TIMEOUT:g} s")
        return code


def _run_apply(file: Path, settings: Mapping[str, str]) -> None:
    """Be the command line."""
    os.environ.update(settings)
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        sys.stdout = sys.stderr = null
        code = main_of_command_line(["apply", str(file), "--rotate", "--prune", "--yes"])
    # The exit of a child of multiprocessing would write to these streams.
    os._exit(code)


def _latency(chance: random.Random) -> float:
    return chance.uniform(0.001, 0.01)


def _wanted(videos: int) -> list[NewRestream]:
    return [
        NewRestream(
            video_id=f"v{video}",
            title=title,
            stream_url=url,
            stream_key=f"key-of-{title.replace(' ', '-')}-{video}-0",
            status=True,
        )
        for video in range(videos)
        for title, url in _DESTINATIONS.items()
    ]


def _changed(new: NewRestream, round_: int, chance: random.Random) -> NewRestream:
    key = new.stream_key
    if chance.random() < _NEW_KEYS:
        key = f"{key.rpartition('-')[0]}-{round_}"
    return attrs.evolve(new, stream_key=key, status=chance.random() < 0.9)  # noqa: PLR2004 - most


def _add_strangers(watch: Watch, chance: random.Random) -> None:
    """Add extra restreams, and second copies, behind the back of the client."""
    for stored in watch.store.all():
        if chance.random() < 0.1:  # noqa: PLR2004 - some
            title = chance.choice([stored.title, "Extra"])
            watch.store.add(_body(attrs.evolve(stored, title=title)))


def _body(stored: Stored) -> CreateBody:
    return CreateBody(
        video_id=stored.video_id,
        title=stored.title,
        stream_url=stored.stream_url,
        stream_key=stored.stream_key,
        status=stored.status,
    )


def _differences(wanted: Sequence[NewRestream], stored: Sequence[Stored]) -> list[str]:
    """Return how the sandbox differs from what is wanted, in words."""
    should, has = Counter(map(_fields, wanted)), Counter(map(_fields, stored))
    return [
        *(f"missing: {title} of {video}" for video, title, *_ in (should - has).elements()),
        *(f"too many: {title} of {video}" for video, title, *_ in (has - should).elements()),
    ]


def _fields(restream: NewRestream | Stored) -> tuple[str, str, str, str, bool]:
    return (
        restream.video_id,
        restream.title,
        restream.stream_url,
        restream.stream_key,
        restream.status,
    )


def _write(file: Path, wanted: Iterable[NewRestream]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for video, title, url, key, status in map(_fields, wanted):
            writer.writerow([video, title, url, key, str(status).lower()])


if __name__ == "__main__":
    sys.exit(main())
