"""The README.md files of the repository: their blocks, links and commands."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

import restream_async
from restream_async.sandbox import Sandbox

ROOT: Final = Path(__file__).parents[2]
_PACKAGE: Final = Path(restream_async.__file__).parent
_FENCE: Final = re.compile(r"^## (.+?)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME: Final = re.compile(r"# (Containerfile|[\w-]+\.(?:py|toml|env|service|yaml|conf))\n")
_HERE_DOCUMENT: Final = "<<'END'"


@attrs.frozen
class Block:
    """A block of code.

    Attributes:
        readme: the README.md that it stands in.
        section: the heading above it.
        language: what the fence names.
        text: what is inside.

    """

    readme: str
    section: str
    language: str
    text: str

    @property
    def file(self) -> str:
        """The name of the file that its first line names, or nothing."""
        named = _FILE_NAME.match(self.text)
        return named[1] if named else ""

    @property
    def is_program(self) -> bool:
        """Whether `python` runs it as it stands."""
        return self.language == "python" and "asyncio.run(" in self.text


def path_of(name: str) -> Path:
    """Return where a file of the repository is; the package may be installed elsewhere."""
    room, _, rest = name.partition("/")
    return _PACKAGE / rest if room == "restream_async" else ROOT / name


def _blocks() -> Iterator[Block]:
    for readme, text in READMES.items():
        section = ""
        for heading, language, block in _FENCE.findall(text):
            section = heading or section
            if language:
                yield Block(readme, section, language, block)


def commands(block: Block) -> Iterator[str]:
    """Give the commands of a shell block; a here document belongs to its command."""
    lines = iter(block.text.splitlines())
    for line in lines:
        command = [line]
        if _HERE_DOCUMENT in line:
            for further in lines:
                command.append(further)
                if further == "END":
                    break
        yield "\n".join(command)


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of a command that works with a sandbox."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "RESTREAM_BASE_URL": sandbox.base_url,
        "RESTREAM_PROJECT_ID": sandbox.project_id,
        "RESTREAM_API_KEY": sandbox.api_key,
    }


READMES: Final = {
    name: path_of(name).read_text("utf-8")
    for name in (
        "README.md",
        "benchmarks/README.md",
        *sorted(
            f"restream_async/{path.relative_to(_PACKAGE).as_posix()}"
            for path in _PACKAGE.rglob("README.md")
        ),
    )
}
"""Their texts, by their paths from the root of the repository."""

BLOCKS: Final = tuple(_blocks())
FILES: Final = {block.file: block for block in BLOCKS if block.file}
