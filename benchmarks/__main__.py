"""The cost of a creation, and the effects of overload, size, many clients and a healthy service.

    python -m pip install -e '.[bench]' && python -m benchmarks

Runs every suite, prints tables, and writes the figures, the plots and the tables in
benchmarks/README.md. The figures are stored beside the plots, so --redraw makes plots and
tables again without measuring. `cost` needs valgrind and nginx, `size` needs nginx.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.readme import with_table
from benchmarks.suite import MissingProgramError, Suite

_NAMES: Final = ("cost", "overload", "size", "fleet", "healthy")
_PLOTS: Final = Path(__file__).parent / "plots"
_README: Final = Path(__file__).with_name("README.md")
_BESIDE: Final = """\
other programs, each with --help:
  python -m benchmarks.healthy         the suite `healthy` in simulated time only, for tuning
  python -m benchmarks.fleet           single scenes of the suite `fleet`, with other seeds or sizes
  python -m benchmarks.chaos           the same creations through the same faults, by five clients
  python -m benchmarks.kill9           a journaled run that is killed a hundred times
  python -m benchmarks.apply_kill9     an apply that replaces keys and is killed fifty times
  python -m benchmarks.journal         what a journal costs
  python -m benchmarks.worker_fleet    workers that are killed, and NATS restarted (extra `test`)
  python -m benchmarks.worker_scaling  throughput by worker processes (extra `test`)
  python -m benchmarks.worker_checks   what the existence checks of workers cost (extra `test`)
"""


def main() -> int:
    """Do what the arguments ask for; return the exit code."""
    arguments = _arguments()
    try:
        known = _suites()
    except ModuleNotFoundError as missing:
        print(
            f"{missing.name} is needed and not installed: python -m pip install -e '.[bench]'",
            file=sys.stderr,
        )
        return 2
    suites = [known[name] for name in arguments.suite or _NAMES]
    if arguments.redraw:
        for suite in suites:
            _redraw(suite, arguments.plots)
        return 0
    # Check all suites first, so that a missing program is reported before half an hour of work.
    try:
        for suite in suites:
            suite.check()
    except MissingProgramError as missing:
        print(missing, file=sys.stderr)
        return 2
    for suite in suites:
        figures = suite.measure(arguments.quick)
        print(f"{suite.text(figures)}\n", flush=True)
        if not arguments.quick:
            suite.write(figures, arguments.plots)
            _redraw(suite, arguments.plots)
    return 0


def _suites() -> Mapping[str, Suite]:
    # The suites need the extra `bench`. Imported here, they let this program say so.
    from benchmarks.cost.suite import SUITE as COST  # noqa: PLC0415
    from benchmarks.fleet.suite import SUITE as FLEET  # noqa: PLC0415
    from benchmarks.healthy.suite import SUITE as HEALTHY  # noqa: PLC0415
    from benchmarks.overload.suite import SUITE as OVERLOAD  # noqa: PLC0415
    from benchmarks.size.suite import SUITE as SIZE  # noqa: PLC0415

    return {suite.name: suite for suite in (COST, OVERLOAD, SIZE, FLEET, HEALTHY)}


def _redraw(suite: Suite, plots: Path) -> None:
    """Make plots and table again from the figures; README.md shows those of `_PLOTS`."""
    figures = suite.read(plots)
    suite.draw(figures, plots)
    if plots.resolve() == _PLOTS:
        readme = _README.read_text("utf-8")
        _README.write_text(with_table(readme, suite.name, suite.summary(figures)), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=_BESIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite", action="append", choices=_NAMES, help="only this one; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="small runs, once; nothing is written")
    parser.add_argument(
        "--redraw", action="store_true", help="only make plots and tables from the figures again"
    )
    parser.add_argument("--plots", type=Path, default=_PLOTS, help="where figures and plots go")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
