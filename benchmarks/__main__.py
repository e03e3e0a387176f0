"""What a creation costs, what becomes of a service under load, what size does, and what many do.

    python -m pip install -e '.[bench]' && python -m benchmarks

Runs every suite, prints tables, and writes the figures and plots that the README shows. `cost`
needs valgrind and nginx, `size` needs nginx.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from benchmarks.cost.suite import SUITE as COST
from benchmarks.fleet.suite import SUITE as FLEET
from benchmarks.overload.suite import SUITE as OVERLOAD
from benchmarks.size.suite import SUITE as SIZE
from benchmarks.suite import MissingProgramError

_SUITES: Final = {suite.name: suite for suite in (COST, OVERLOAD, SIZE, FLEET)}
_PLOTS: Final = Path(__file__).parent / "plots"


def main() -> int:
    """Do what the arguments ask for; return the exit code."""
    arguments = _arguments()
    suites = [_SUITES[name] for name in arguments.suite or _SUITES]
    if arguments.redraw:
        for suite in suites:
            suite.redraw(arguments.plots)
        return 0
    # All of them before the first: nobody wants to hear of it after half an hour.
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
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite", action="append", choices=_SUITES, help="only this one; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="small runs, once, and no plots")
    parser.add_argument("--redraw", action="store_true", help="only draw the figures again")
    parser.add_argument("--plots", type=Path, default=_PLOTS, help="where figures and plots go")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
