"""Programs that these tests run, where they are installed; in CI they must be."""

import os
import shutil
from typing import NoReturn

import pytest

# Debian has some programs where only root's PATH looks.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def find(program: str, package: str) -> str:
    """Return the path of a program; without it skip the test, and fail it in CI."""
    found = shutil.which(program, path=PATH)
    if found is None:
        do_without(f"{program} is not installed: `apt-get install {package}` brings it")
    return found


def do_without(missing: str) -> NoReturn:
    """Skip the test, and fail it in CI."""
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(f"{missing}, and in CI these tests must run", pytrace=False)
    pytest.skip(missing)
