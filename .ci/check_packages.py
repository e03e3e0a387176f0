"""Check what the built wheel and sdist hold: `python check_packages.py WHEEL SDIST`."""

import re
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import Final

_CHAPTER: Final = re.compile(r"\]\(([\w/]+/README\.md)")
"""A link from README.md to a chapter."""


def check_wheel(path: str) -> list[str]:
    """Return what is wrong with a wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = Parser().parsestr(wheel.read(metadata).decode())
    wrong = [
        f"the wheel holds {name}"
        for name in names
        if PurePosixPath(name).parts[0] != "restream_async" and ".dist-info/" not in name
    ]
    wrong += [f"the wheel holds {name}" for name in names if "__pycache__" in name]
    if "restream_async/py.typed" not in names:
        wrong.append("the wheel has no py.typed")
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        wrong.append("the wheel has no licence")
    needed = [line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line]
    print("needs", "; ".join(needed))
    return wrong


def check_sdist(path: str) -> list[str]:
    """Return what is wrong with a source distribution."""
    with tarfile.open(path) as sdist:
        names = {"/".join(PurePosixPath(name).parts[1:]) for name in sdist.getnames()}
    tops = {name.partition("/")[0] for name in names}
    expected = {"restream_async", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    chapters = set(_CHAPTER.findall(Path("README.md").read_text("utf-8")))
    return [f"the sdist has no {name}" for name in sorted((expected - tops) | (chapters - names))]


if __name__ == "__main__":
    if problems := [*check_wheel(sys.argv[1]), *check_sdist(sys.argv[2])]:
        sys.exit("\n".join(problems))
