"""Counts how many mutants of the core the tests catch.

    python -m pip install -e '.[test]' && python -m benchmarks.mutation

Chooses mutants by a seed, puts each into a copy of this repository, and runs the tests of its
module, then those of its room, then those of the rooms above. Prints the mutants that no test
catches; someone must look at each, because many change nothing that anybody could notice. A run
of 400 takes an hour or two.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from benchmarks import progress
from benchmarks.mutation.mutants import Mutant, mutants_of
from benchmarks.mutation.trial import ROOMS, Copy, Trial

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run what the arguments say; return the exit code."""
    arguments = _arguments()
    began = time.perf_counter()
    mutants = [
        mutant
        for path in _modules()
        for mutant in mutants_of(_ROOT, path)
        if str(mutant).startswith(tuple(arguments.modules) or "restream_async/")
    ]
    total = len(mutants)
    random.Random(arguments.seed).shuffle(mutants)
    trials = _run(mutants[: arguments.count], arguments.processes)
    survivors = sorted(trial for trial in trials if trial.catch is None)
    print("\n".join(str(trial) for trial in survivors))
    print(
        f"{len(trials)} of {total:,} mutants, {len(survivors)} survived;"
        f" seed {arguments.seed}, {time.perf_counter() - began:.0f} s"
    )
    return int(bool(survivors))


def _modules() -> list[str]:
    return [
        path.relative_to(_ROOT).as_posix()
        for room in ROOMS
        for path in sorted((_ROOT / "restream_async" / room).glob("*.py"))
        if path.name != "__init__.py"
    ]


def _run(mutants: list[Mutant], processes: int) -> list[Trial]:
    trials: list[Trial] = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(processes) as threads,
    ):
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(processes):
            (place := Path(folder) / str(number)).mkdir()
            copies.put(Copy(_ROOT, place))

        def run(mutant: Mutant) -> Trial:
            copy = copies.get()
            try:
                return copy.try_out(mutant)
            finally:
                copies.put(copy)

        try:
            for done in as_completed([threads.submit(run, mutant) for mutant in mutants]):
                trials.append(done.result())
                progress.log(f"{len(trials)} of {len(mutants)}: {trials[-1]}")
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return trials


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="only mutants whose place begins so, as restream_async/_load/pace.py:54",
    )
    parser.add_argument("--count", type=int, default=400, help="mutants (400)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice (1)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="at the same time (one a core)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
