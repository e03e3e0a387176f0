"""Simulate scenes of a fleet of clients, and print their figures.

    python -m benchmarks.fleet together-small --clients 50 --seed 1 2 3

Without a scene: all of the suite. Nothing is written.
"""

import argparse
import sys
import time

import attrs

from benchmarks.fleet.results import scene_text
from benchmarks.fleet.scenes import ALL, OF_SUITE, Scene
from benchmarks.fleet.simulation import simulate_all


def main() -> None:
    """Run what the arguments say."""
    arguments = _arguments()
    seeds: list[int] = arguments.seed
    for scene in _scenes(arguments):
        began = time.monotonic()
        runs = simulate_all([scene] * len(seeds), seeds)
        took = time.monotonic() - began
        print(f"{scene_text(scene, runs)}\n\nSimulated in {took:.1f} s.\n", flush=True)


def _scenes(arguments: argparse.Namespace) -> list[Scene]:
    known = {scene.name: scene for scene in ALL}
    names: list[str] = arguments.scene or [scene.name for scene in OF_SUITE]
    changes = {
        name: value
        for name, value in (("clients", arguments.clients), ("spread", arguments.spread))
        if value is not None
    }
    return [attrs.evolve(known[name], **changes) for name in names]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Checked below, because argparse with choices would refuse an empty list.
    parser.add_argument("scene", nargs="*", help=", ".join(scene.name for scene in ALL))
    parser.add_argument("--clients", type=int, help="how many there are; the service grows alike")
    parser.add_argument(
        "--spread", type=float, help="how much the service's latency varies, as a share of it"
    )
    parser.add_argument(
        "--seed", type=int, nargs="+", default=[1], help="of all that is random; a run for each"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.scene) - {scene.name for scene in ALL}
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
