"""Simulate one scene of a fleet of clients, or several, and print what came of it.

    python -m benchmarks.fleet together-small --clients 50 --seed 2

Without a scene: all of the suite. Nothing is written.
"""

import argparse
import sys
import time

import attrs

from benchmarks.fleet.results import scene_text
from benchmarks.fleet.scenes import ALL, SUITE_SCENES
from benchmarks.fleet.simulation import simulate
from benchmarks.fleet.suite import SEED


def main() -> None:
    """Do what the arguments ask for."""
    arguments = _arguments()
    known = {scene.name: scene for scene in ALL}
    for name in arguments.scene or [scene.name for scene in SUITE_SCENES]:
        scene = known[name]
        if arguments.clients is not None:
            scene = attrs.evolve(scene, clients=arguments.clients)
        began = time.monotonic()
        figures = simulate(scene, arguments.seed)
        took = time.monotonic() - began
        print(f"{scene_text(scene, figures)}\n\nSimulated in {took:.1f} s.\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # No choices: with them, argparse wants a scene to be named.
    parser.add_argument("scene", nargs="*", help=", ".join(scene.name for scene in ALL))
    parser.add_argument("--clients", type=int, help="how many there are; the service grows alike")
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is random")
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
