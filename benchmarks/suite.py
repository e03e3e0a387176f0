"""A suite of `python -m benchmarks`."""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from shutil import which
from typing import Any, Final, TypeAlias

import attrs

Figures: TypeAlias = Mapping[str, Any]
"""Measured figures, as in JSON."""

_PACKAGES: Final = {
    "nginx": "apt-get install nginx-light",
    "valgrind": "apt-get install valgrind",
}


class MissingProgramError(Exception):
    """A program that a suite needs is not installed; the text says how to install it."""


@attrs.frozen(kw_only=True)
class Suite:
    """One question, and how to measure and show the answer.

    Attributes:
        name: the name of its figures and plots.
        packages: the packages of PyPI that it measures.
        programs: the programs that must be installed.
        measure: measures and returns figures; its argument says whether to be quick.
        text: returns tables of figures.
        summary: returns the one table that benchmarks/README.md shows.
        draw: draws plots of figures into a folder.

    """

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()
    measure: Callable[[bool], Figures]
    text: Callable[[Figures], str]
    summary: Callable[[Figures], str]
    draw: Callable[[Figures, Path], None]

    def check(self) -> None:
        """Check that all programs are installed.

        Raises:
            MissingProgramError: one is not.

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
        """Return the stored figures."""
        figures: Figures = json.loads((folder / f"{self.name}.json").read_text("utf-8"))
        return figures


def find(program: str) -> str:
    """Return the path of a program.

    Raises:
        MissingProgramError: it is not installed.

    """
    # Servers are in folders that are not on every PATH.
    found = which(program) or which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgramError(f"{program} is needed and not installed: {_PACKAGES[program]}")
    return found
