"""The same creations through the same faults, with this library and with others.

    python -m pip install -e '.[bench]' && python -m benchmarks.chaos

Each client creates the same restreams in a sandbox of its own. A seed decides the faults: the n-th
POST of a restream meets the same fault with every client. Then the stored restreams are compared
with the client's report. Exits with 1 if this library lost one, created one twice or reported one
wrongly.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import deadline, progress
from benchmarks.chaos import results
from benchmarks.chaos.results import Scores
from benchmarks.chaos.score import Score, score
from benchmarks.chaos.trials import ALL, MAIN, Trial
from benchmarks.contestants import OURS, Contestant
from benchmarks.inputs import restreams
from benchmarks.run_report import RunReport
from benchmarks.service import Service
from restream_async.sandbox import Faults

_PLOTS: Final = Path(__file__).parents[1] / "plots"
_QUICK_COUNT: Final = 300
_TIMEOUT: Final = 1800.0
"""Seconds for one run: one of 20,000 takes about three minutes."""


def main() -> int:
    """Do what the arguments ask for; return the exit code."""
    arguments = _arguments()
    if arguments.redraw:
        results.redraw(arguments.plots)
        return 0
    if arguments.quick:
        scores = _try(MAIN, _QUICK_COUNT, [1])
        print(results.LEGEND)
        return _verdict(scores)
    found = {
        trial.name: _try(trial, arguments.count, range(1, arguments.seeds + 1)) for trial in ALL
    }
    print(results.LEGEND)
    results.write(arguments.plots, found)
    return _verdict(found[MAIN.name])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=20_000, help="creations of a run (20,000)")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each client (5)")
    parser.add_argument(
        "--quick", action="store_true", help="one small run of each, no late commits, no plots"
    )
    parser.add_argument("--redraw", action="store_true", help="only draw the figures again")
    parser.add_argument("--plots", type=Path, default=_PLOTS, help="where figures and plots go")
    return parser.parse_args()


def _try(trial: Trial, count: int, seeds: Sequence[int]) -> Scores:
    scores: dict[str, list[Score]] = {contestant.name: [] for contestant in trial.contestants}
    # Contestants take turns, so that a busy machine affects all of them.
    for seed in seeds:
        for contestant in trial.contestants:
            title = f"{trial.name}, seed {seed} of {len(seeds)}, {contestant.name}"
            scores[contestant.name].append(_run(contestant, trial.faults, seed, count, title))
    print(f"{results.text(trial, scores)}\n", flush=True)
    return scores


def _run(contestant: Contestant, faults: Faults, seed: int, count: int, title: str) -> Score:
    requests = list(restreams(count))
    run_report = RunReport()
    run_report.progress = _progress(title, run_report, count)
    with Service(faults=faults, seed=seed) as service:
        began = time.perf_counter()
        deadline.run(contestant.run(service.address, requests, run_report), _TIMEOUT)
        seconds = time.perf_counter() - began
        final = service.final_state()
    progress.log(f"{title}: {seconds:.1f} s")
    return score(requests, run_report, final, seconds)


def _progress(title: str, run_report: RunReport, count: int) -> Callable[[], None]:
    step = max(1, count // 100)

    def show() -> None:
        done = len(run_report.reports)
        if done % step == 0:
            progress.update(f"{title}: {done:,} of {count:,}")

    return show


def _verdict(scores: Scores) -> int:
    return 0 if all(item.spotless for item in scores[OURS.name]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
