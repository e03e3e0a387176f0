"""Private: reads the ids of live videos from arguments and from a file."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from restream_async import InvalidRestreamError
from restream_async._field_checks import check_identifier
from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import BadLine, Row
from restream_async.cli.input.source import InputSource
from restream_async.cli.input.videos import VIDEO_ID, VideoReader
from restream_async.cli.output.console import console_on

_HOW: Final = "name the ids of live videos, or a file of ids with --file"


def read_video_ids(arguments: Iterable[str], file: str | None) -> list[str]:
    """Return the ids of the arguments and then those of the file, each once.

    Args:
        arguments: ids from the command line.
        file: the name of a file with one id a line, or of CSV or JSON lines with `videoId`; `-` for
            standard input, or None. Blank lines are ignored.

    Raises:
        CliError: there is no id, one cannot be a part of a path, or the file cannot be read.

    """
    ids = [checked_video_id(each, "VIDEO_ID") for each in arguments]
    if file is not None:
        ids += _ids_of_file(file)
    if not ids:
        raise CliError(f"{file} names no video" if file is not None else _HOW)
    return [*dict.fromkeys(ids)]


def checked_video_id(video_id: str, name: str) -> str:
    """Return an id; `name` is what a message calls it.

    Raises:
        CliError: it cannot be a part of a path.

    """
    try:
        return check_identifier("video_id", video_id)
    except InvalidRestreamError as error:
        reason = error.reason
    raise CliError(f"{name} {reason}")


def _ids_of_file(file: str) -> list[str]:
    with InputSource(file, console_on(sys.stderr)) as source:
        reader = _IdReader(source)
        # It yields nothing else.
        bad = next(reader.read(source.lines()), None)
        if isinstance(bad, BadLine):
            raise CliError(f"line {bad.line:,} of {source.name} {bad.reason}")
    return reader.ids


class _IdReader(VideoReader):
    """Collects the ids of a list of videos; a video may be there more than once."""

    def __init__(self, source: InputSource) -> None:
        super().__init__(
            source.name,
            source.guess_format(),
            (),
            file="",
            may_be_ids=source.format_by_ending is None,
        )
        self.ids: list[str] = []

    def _restreams(self, line: int, columns: Mapping[str, object]) -> Iterator[Row | BadLine]:
        video_id = columns[VIDEO_ID]
        if not isinstance(video_id, str):
            return iter([BadLine(line, f"has a {VIDEO_ID} that is not a string")])
        if any(name.casefold() == "streamurl" for name in columns):
            raise CliError(
                f"{self.name} lists restreams, but --file takes live videos, and would select all "
                "their restreams: write the ids into a file, one on each line"
            )
        where = f"line {line:,} of {self.name}: the video id"
        self.ids.append(checked_video_id(video_id.strip(), where))
        return iter([])
