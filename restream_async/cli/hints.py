"""What to type next, as hints name it: commands that work where this one was called, and as it was.

It needs no extra, as it also tells how to install one.
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
    """Return how this program was called: by its name, by its path, or as a module of Python."""
    spec = sys.modules["__main__"].__spec__
    if spec is not None and spec.name == f"{_MODULE}.__main__":
        return f"{_typed(sys.executable)} -m {_MODULE}"
    # Something else may have imported it, such as a test.
    return _typed(sys.argv[0]) if Path(sys.argv[0]).stem == PROGRAM else PROGRAM


def command(name: str, argument: str = "") -> str:
    """Return a command as it is to be typed; one that begins with a dash stands after `--`."""
    dashes = ["--"] if argument.startswith("-") else []
    return f"{program()} {shlex.join([name, *dashes, *filter(None, [argument])])}"


def install(*extras: str) -> str:
    """Return the command that installs what extras bring."""
    what = PROGRAM
    try:
        distribution(PROGRAM)
    except PackageNotFoundError:
        # A checkout that is not installed: by its name, pip would find nothing, or another package.
        what = str(Path(__file__).parents[2])
    wanted = shlex.quote(f"{what}[{','.join(extras)}]")
    return f"python -m pip install {wanted}"


def _typed(path: str) -> str:
    """Return the name of a program where the shell finds it by that, else its path."""
    name = Path(path).name
    found = shutil.which(name)
    # Links are not followed: the Python of a virtual environment is a link to another one.
    is_found = found is not None and Path(found).absolute() == Path(path).absolute()
    return name if is_found else shlex.quote(path)
