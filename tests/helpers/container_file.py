"""Carries out a container file without containers: its paths lie below a folder of the test.

Every stage shares that folder, so `COPY --from` has nothing to copy. The files of a stage outside
the copied folder are deleted at its end, as the last stage would not have them.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

_KEPT: Final = "/opt/restream"
_NO_REGISTRY: Final = re.compile(r"NewConnectionError|NameResolutionError|from versions: none")


class NoRegistryError(Exception):
    """Packages cannot be downloaded here."""


@attrs.define
class Image:
    """What a container file makes.

    Attributes:
        root: the folder that stands for the root of the container.
        env: the environment of its processes.
        user: the user of its processes.
        entrypoint: the words before the arguments.
        arguments: the arguments, unless others are given.
        health_check: the command that says whether it is well.

    """

    root: Path
    env: dict[str, str] = attrs.field(factory=dict[str, str])
    user: str = "root"
    entrypoint: list[str] = attrs.field(factory=list[str])
    arguments: list[str] = attrs.field(factory=list[str])
    health_check: list[str] = attrs.field(factory=list[str])

    def program(self, words: list[str]) -> list[str]:
        """Return a command with the path that its first word has in the image."""
        found = shutil.which(words[0], path=self.env["PATH"])
        assert found, f"{words[0]} is not in the image"
        assert Path(found).is_relative_to(self.root), f"{found} is not in the image"
        return [found, *words[1:]]


def build(text: str, context: Path, root: Path) -> Image:
    """Carry out the steps of a container file.

    Args:
        text: the container file.
        context: the folder whose files it copies.
        root: an empty folder that stands for the root of the container.

    Raises:
        NoRegistryError: a step could not download packages.

    """
    image = Image(root)
    folder = root
    for name, value in _instructions(text):
        match name, value.split():
            case "FROM", _:
                _clear(root)
                # The base image has Python, and nothing of this test's environment.
                image = Image(root, _base_environment())
                folder = root
            case "WORKDIR", [path]:
                folder = _below(root, path)
                folder.mkdir(parents=True)
            case "COPY", ["--from=build", source, target]:
                assert source == target == _KEPT
                assert _below(root, source).exists()
            case "COPY", [*sources, target]:
                _copy(context, sources, folder / target)
            case "RUN", _:
                _run(value.replace(_KEPT, str(_below(root, _KEPT))), folder, image.env)
            case _:
                _note(image, name, value)
    return image


def _note(image: Image, name: str, value: str) -> None:
    """Carry out a step that only says how the image is used."""
    match name:
        case "ENV":
            variable, _, said = value.partition("=")
            said = said.replace(f"${variable}", image.env[variable])
            image.env[variable] = said.replace(_KEPT, str(_below(image.root, _KEPT)))
        case "USER":
            image.user = value
        case "ENTRYPOINT":
            image.entrypoint = json.loads(value)
        case "CMD":
            image.arguments = json.loads(value)
        case "HEALTHCHECK":
            image.health_check = json.loads(value.removeprefix("CMD"))
        case _:
            raise AssertionError(f"this step is not known: {name} {value}")


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(" ")
            yield name, value


def _below(root: Path, path: str) -> Path:
    return root / path.removeprefix("/")


def _base_environment() -> dict[str, str]:
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PATH"}
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    return env | {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}


def _clear(root: Path) -> None:
    for folder in root.iterdir():
        if folder != root / "opt":
            shutil.rmtree(folder)


def _copy(context: Path, sources: list[str], target: Path) -> None:
    for source in sources:
        if (context / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(context / source, target, ignore=ignored)
        else:
            shutil.copy(context / source, target)


def _run(command: str, folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - a step of our own file
        ["/bin/sh", "-euc", command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if _NO_REGISTRY.search(done.stderr):
        raise NoRegistryError(shlex.join(shlex.split(command)[1:]))
    assert done.returncode == 0, done.stdout + done.stderr
