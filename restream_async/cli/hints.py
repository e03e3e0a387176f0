"""Private: commands for the user to type next, called the way this command was called.

Imports no extra, because it also says how to install one.
"""

import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

PROGRAM: Final = "restream-async"
_MODULE: Final = "restream_async.cli"


def program() -> str:
    """Return how this program was called: by name, by path, or as `python -m`."""
    spec = sys.modules["__main__"].__spec__
    if spec is not None and spec.name == f"{_MODULE}.__main__":
        return f"{_as_typed(sys.executable)} -m {_MODULE}"
    # Another program, such as a test, may have imported this module.
    return _as_typed(sys.argv[0]) if Path(sys.argv[0]).stem == PROGRAM else PROGRAM


def command(name: str, argument: str = "", *options: str) -> str:
    """Return a command to type; an argument that begins with a dash stands after `--`."""
    dashes = ["--"] if argument.startswith("-") else []
    words = [name, *options, *dashes, *filter(None, [argument])]
    return f"{program()} {shlex.join(words)}"


def install(*extras: str) -> str:
    """Return the command that installs extras of this package."""
    package = PROGRAM
    try:
        distribution(PROGRAM)
    except PackageNotFoundError:
        # A checkout that is not installed: pip must get its path, as it does not know the name.
        package = str(Path(__file__).parents[2])
    requirement = shlex.quote(f"{package}[{','.join(extras)}]")
    return f"python -m pip install {requirement}"


def _as_typed(path: str) -> str:
    """Return the name of a program if the shell finds it by name, else its path."""
    name = Path(path).name
    found = shutil.which(name)
    # Links are not followed: the Python of a virtual environment is a link to the system's.
    is_found = found is not None and Path(found).absolute() == Path(path).absolute()
    return name if is_found else shlex.quote(path)
