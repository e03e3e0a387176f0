"""The scenes of the suite `healthy` in simulated time, for whoever tunes the limit.

    python -m benchmarks.healthy --simulated [SCENE ...]

A scene is named by how its name begins; without names, all are run. The suite itself, which runs
them in real time too and writes the figures: `python -m benchmarks --suite healthy`.
"""

import argparse
import sys
import time

from benchmarks import progress
from benchmarks.healthy.results import simulated_text
from benchmarks.healthy.scenes import ALL, scenes_named
from benchmarks.healthy.simulation import simulate_all


def main() -> int:
    """Do what the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.healthy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="only those that begin so")
    parser.add_argument("--simulated", action="store_true", help="in simulated time; always so")
    parser.add_argument("--seeds", type=int, default=3, help="runs where chance has a say")
    parser.add_argument("--list", action="store_true", help="only list the names")
    arguments = parser.parse_args()
    scenes = [scene for scene in scenes_named(arguments.scenes) if scene.is_simulated]
    if arguments.list:
        print("\n".join(scene.name for scene in scenes))
        return 0
    if not scenes:
        print(f"there is no such scene; there are: {', '.join(s.name for s in ALL)}")
        return 2
    began = time.perf_counter()
    print(simulated_text(simulate_all(scenes, arguments.seeds)))
    progress.say(f"{time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
