"""What every suite of `python -m benchmarks` is made of."""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from shutil import which
from typing import Any, Final, TypeAlias

import attrs

Figures: TypeAlias = Mapping[str, Any]
"""What was measured, as JSON has it."""

_PLACES: Final = {
    "nginx": "apt-get install nginx-light",
    "valgrind": "apt-get install valgrind",
}


class MissingProgramError(Exception):
    """A program that a suite needs is not installed; says how to get it."""


@attrs.frozen(kw_only=True)
class Suite:
    """A question, and how it is answered.

    Attributes:
        name: of its figures and plots.
        packages: what of PyPI is measured.
        programs: what must be installed besides.
        measure: measures; it is told whether to be quick about it.
        text: says in tables what was measured.
        summary: says in one table what README.md of this folder shows.
        draw: draws it into a folder.

    """

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()
    measure: Callable[[bool], Figures]
    text: Callable[[Figures], str]
    summary: Callable[[Figures], str]
    draw: Callable[[Figures, Path], None]

    def check(self) -> None:
        """See that all is there.

        Raises:
            MissingProgramError: it is not.

        """
        for program in self.programs:
            find(program)

    def write(self, figures: Figures, folder: Path) -> None:
        """Write the figures."""
        folder.mkdir(parents=True, exist_ok=True)
        packages = {package: version(package) for package in sorted(self.packages)}
        document = {"python": python_version(), "packages": packages, **figures}
        (folder / f"{self.name}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")

    def read(self, folder: Path) -> Figures:
        """Return the figures that are there."""
        figures: Figures = json.loads((folder / f"{self.name}.json").read_text("utf-8"))
        return figures


def find(program: str) -> str:
    """Return the path of a program.

    Raises:
        MissingProgramError: it is not installed.

    """
    # Servers live in a folder that not everybody searches.
    found = which(program) or which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgramError(f"{program} is needed and not installed: {_PLACES[program]}")
    return found
