"""Single scenes of the suite `healthy`, for tuning the limit. Nothing is written.

    python -m benchmarks.healthy --simulated [SCENE ...]

In simulated time all scenes take about a minute. A scene can be named by the beginning of its
name; without names, all are run. `python -m benchmarks --suite healthy` writes figures, table and
plot.
"""

import argparse
import sys
import time

from benchmarks import progress
from benchmarks.healthy.outcome import plain
from benchmarks.healthy.results import legend, simulated_text, summary
from benchmarks.healthy.scenes import Scene, scenes_named
from benchmarks.healthy.simulation import simulate_all


def main() -> int:
    """Run what the arguments say; return the exit code."""
    arguments = _arguments()
    named = scenes_named(arguments.scenes)
    if arguments.list:
        print("\n".join(f"{scene.name:16} {scene.title}" for scene in named))
        return 0
    scenes = [scene for scene in named if _fits(scene, in_real_time=arguments.real)]
    if not scenes:
        print("there is no such scene; --list shows all of them", file=sys.stderr)
        return 2
    began = time.perf_counter()
    if arguments.real:
        # The client that it compares with needs the extra `bench`.
        from benchmarks.healthy import real  # noqa: PLC0415

        found = real.measure(scenes, arguments.rounds)
        text = summary({"simulated": {}, "real": plain(found)})
    else:
        text = simulated_text(simulate_all(scenes, arguments.rounds))
    print(f"{text}\n\n{legend(scenes)}")
    progress.log(f"took {time.perf_counter() - began:.0f} s")
    return 0


def _fits(scene: Scene, *, in_real_time: bool) -> bool:
    return scene.is_real if in_real_time else scene.is_simulated


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.healthy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="only those that begin so")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--simulated", action="store_true", help="in simulated time (the default)")
    kind.add_argument("--real", action="store_true", help="in real time")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each scene that is random")
    parser.add_argument("--list", action="store_true", help="only list the scenes")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
