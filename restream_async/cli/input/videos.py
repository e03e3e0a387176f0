"""Private: reads a list of live videos, each of which gets a restream for each destination.

The list is CSV or JSON lines with `videoId` and any other columns, or one id on each line.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from restream_async import InvalidRestreamError
from restream_async._http import serialization
from restream_async._util.stray_characters import trimmed
from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import (
    DELIMITERS,
    NOT_UTF8,
    UNDECODED,
    BadLine,
    Format,
    LineReader,
    Row,
)
from restream_async.destinations import Destination, restreams_of

VIDEO_ID: Final = "videoId"
# First lines that are names of a column with another spelling than `videoId`, and no ids.
_LIKE_A_NAME: Final = re.compile(r"(live)?video(public)?(id)?s?|(public)?ids?")


class VideoReader(LineReader):
    """Reads a list of live videos, and yields a row for each destination of each video."""

    def __init__(
        self,
        name: str,
        format_: Format,
        destinations: Sequence[Destination],
        *,
        file: str,
        may_be_ids: bool,
    ) -> None:
        """Read an input of that name and format.

        Args:
            name: of the input, in messages.
            format_: of the input.
            destinations: where each video is pushed to.
            file: the name of the file with the destinations, in messages.
            may_be_ids: whether an input that is not JSON may also have one id on each line.

        """
        super().__init__(name, format_)
        self.per_line = len(destinations)
        self._destinations = destinations
        self._file = file
        self._may_be_ids = may_be_ids
        # The first destination that uses a column, by the name of the column.
        self._users: dict[str, int] = {}
        for number, destination in enumerate(destinations, 1):
            for column in sorted(destination.columns):
                self._users.setdefault(column, number)
        self.needed = (VIDEO_ID, *self._users)
        # The line of each video, by the hash of its id, in some 100 bytes each. A second reading
        # finds the same lines.
        self._lines: dict[int, int] = {}

    def _csv(self, texts: Iterator[str]) -> Iterator[Row | BadLine]:
        start: list[str] = []
        for text in texts:
            start.append(text)
            if text.strip():
                break
        texts = itertools.chain(start, texts)
        if self._may_be_ids and start and self._is_id(start[-1]):
            yield from self._ids(texts)
        else:
            yield from super()._csv(texts)

    def _is_id(self, first: str) -> bool:
        """Return whether the first line is an id, and not the names of columns.

        Raises:
            CliError: it looks like the name of a column, but not the right one.

        """
        word = trimmed(first).strip('"').casefold()
        if not word or word == VIDEO_ID.casefold() or _has_delimiter(word):
            return False
        if _LIKE_A_NAME.fullmatch(re.sub(r"[\W_]", "", word)):
            raise CliError(
                f"the first line of {self.name} looks like the name of a column: name the column "
                f"with the ids {VIDEO_ID}"
            )
        return True

    def _ids(self, texts: Iterator[str]) -> Iterator[Row | BadLine]:
        if self._users:
            missing = list(self._users)
            raise CliError(
                f"{self.name} is a list of ids without columns; missing: {', '.join(missing)}"
                + self._advice(missing)
            )
        for line, text in enumerate(texts, 1):
            del self.record[:-1]
            video_id = text.removesuffix("\n").removesuffix("\r")
            if not video_id.strip():
                continue
            if UNDECODED.search(video_id):
                yield BadLine(line, NOT_UTF8)
            elif _has_delimiter(video_id):
                yield BadLine(
                    line, f"has more than an id: name the columns on the first line ({VIDEO_ID},…)"
                )
            else:
                yield from self._restreams(line, {VIDEO_ID: video_id})

    def _from_cells(self, line: int, cells: Mapping[str, str]) -> Iterator[Row | BadLine]:
        return self._restreams(line, cells)

    def _from_object(self, line: int, fields: Mapping[str, object]) -> Iterator[Row | BadLine]:
        if missing := [name for name in self.needed if name not in fields]:
            return iter([BadLine(line, f"{missing[0]} is missing{self._advice(missing[:1])}")])
        return self._restreams(line, fields)

    def _restreams(self, line: int, columns: Mapping[str, object]) -> Iterator[Row | BadLine]:
        video_id = columns[VIDEO_ID]
        if not isinstance(video_id, str):
            yield BadLine(line, f"{VIDEO_ID} must be a string")
            return
        first = self._lines.setdefault(hash(video_id), line)
        if first != line:
            yield BadLine(line, f"has the video of line {first:,} again: remove one of the lines")
            return
        try:
            wanted = restreams_of(video_id, self._destinations, columns)
        except InvalidRestreamError as error:
            yield BadLine(line, serialization.problems_in_json_names(error))
            return
        for new in wanted:
            yield Row(line, new)

    def _advice(self, missing: Sequence[str]) -> str:
        used = [name for name in missing if name in self._users]
        if not used:
            return ""
        return (
            f" (destination {self._users[used[0]]} of {self._file} uses {{{used[0]}}}: add the "
            "column, or correct the destination)"
        )


def _has_delimiter(text: str) -> bool:
    return any(delimiter in text for delimiter in DELIMITERS)
