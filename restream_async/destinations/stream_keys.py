"""Private: where the stream keys of a destination come from: variables, files or a column.

A problem names the variable or the file with its placeholders not filled in: a column may hold a
key by mistake.
"""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import attrs

from restream_async._util.text_files import text_of_file
from restream_async.destinations.placeholders import filled, names_in
from restream_async.errors import InvalidRestreamError

_FIELD: Final = "stream_key"
# No key is longer: a longer file is the wrong one.
_LONGEST: Final = 64 * 1024
# Keys of files whose names depend on columns.
_MOST_CACHED: Final = 1_000


class StreamKeySource(Protocol):
    """Finds the stream key of a destination for one live video."""

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it needs."""
        ...

    def key(self, text_of: Callable[[str], str]) -> str:
        """Return the stream key. `text_of` returns the text of a column, or an empty text.

        Raises:
            InvalidRestreamError: there is no key; the text says where it should be.

        """
        ...


@attrs.frozen
class KeyFromVariable:
    """The stream key is in an environment variable.

    Attributes:
        name: of the variable; may hold placeholders after its beginning.
        environment: the variables.

    """

    name: str
    environment: Mapping[str, str] = attrs.field(factory=lambda: os.environ, repr=False)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it needs."""
        return names_in(self.name)

    def key(self, text_of: Callable[[str], str]) -> str:
        """Return the stream key.

        Raises:
            InvalidRestreamError: there is no such variable, or it is empty.

        """
        key = self.environment.get(_filled_name(self.name, text_of), "")
        if not key:
            raise InvalidRestreamError(_FIELD, f"is missing: set the variable {self.name}")
        return key


@attrs.frozen
class KeyFromFile:
    """The stream key is the text of a file. Each file is read once.

    Attributes:
        name: the path of the file; may hold placeholders.
        folder: where a relative path begins.

    """

    name: str
    folder: Path = attrs.field(factory=Path)
    _read: Callable[[Path], str] = attrs.field(
        init=False,
        repr=False,
        eq=False,
        factory=lambda: functools.lru_cache(maxsize=_MOST_CACHED)(_read_key),
    )

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it needs."""
        return names_in(self.name)

    def key(self, text_of: Callable[[str], str]) -> str:
        """Return the stream key.

        Raises:
            InvalidRestreamError: the file cannot be read, or is empty.

        """
        path = self.folder / _filled_name(self.name, text_of)
        try:
            return self._read(path)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or type(error).__name__}"
        except ValueError as error:
            problem = str(error)
        raise InvalidRestreamError(_FIELD, f"is missing: the file {self.name} {problem}")


@attrs.frozen
class KeyFromColumn:
    """The stream key is in a column of the list of videos.

    Attributes:
        name: of the column.

    """

    name: str

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it needs."""
        return frozenset([self.name])

    def key(self, text_of: Callable[[str], str]) -> str:
        """Return the stream key.

        Raises:
            InvalidRestreamError: the column is empty.

        """
        key = text_of(self.name)
        if not key:
            raise InvalidRestreamError(_FIELD, f"needs a text in the column {self.name}")
        return key


def _filled_name(name: str, text_of: Callable[[str], str]) -> str:
    """Return the name of a variable or a file for one video.

    A value from outside must not lead to another folder.
    """

    def part(column: str) -> str:
        text = text_of(column)
        if not text:
            raise InvalidRestreamError(_FIELD, f"needs a text in the column {column}")
        if text.startswith(".") or not text.isprintable() or "/" in text or "\\" in text:
            raise InvalidRestreamError(
                _FIELD,
                f"cannot be found: the column {column}, which is part of a name, must not begin "
                "with a dot or hold a slash or an invisible character",
            )
        return text

    return filled(name, part)


def _read_key(path: Path) -> str:
    """Return the text of a key file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no key; says why.

    """
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError("is too long for a stream key: is it the right file?")
    text = text_of_file(data)
    if not text:
        raise ValueError("is empty")
    return text
