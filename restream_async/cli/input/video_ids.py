"""Private: reads the ids of live videos from arguments and from a file."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from restream_async import InvalidRestreamError
from restream_async._util.text_files import NoTextError, text_of_file
from restream_async.cli.errors import CliError
from restream_async.cli.input.source import InputSource
from restream_async.cli.output.console import console_on
from restream_async.models import check_identifier

_HOW: Final = "name the ids of live videos, or a file of ids with --file"


def read_video_ids(arguments: Iterable[str], file: str | None) -> list[str]:
    """Return the ids of the arguments and then those of the file, each once.

    Args:
        arguments: ids from the command line.
        file: the name of a file with one id a line, `-` for standard input, or None. Blank lines
            are ignored.

    Raises:
        CliError: there is no id, one cannot be a part of a path, or the file cannot be read.

    """
    ids = [_checked(each, "VIDEO_ID") for each in arguments]
    if file is not None:
        ids += _ids_of_file(file)
    if not ids:
        raise CliError(f"{file} names no video" if file is not None else _HOW)
    return [*dict.fromkeys(ids)]


def _ids_of_file(file: str) -> Iterator[str]:
    with InputSource(file, console_on(sys.stderr)) as source:
        for number, line in enumerate(source.lines(), 1):
            where = f"line {number:,} of {source.name}"
            try:
                text = text_of_file(line).strip()
            except NoTextError as error:
                problem = str(error)
            else:
                if text:
                    yield _checked(text, f"{where}: the video id")
                continue
            raise CliError(f"{where} {problem}")


def _checked(video_id: str, name: str) -> str:
    try:
        return check_identifier("video_id", video_id)
    except InvalidRestreamError as error:
        reason = error.reason
    raise CliError(f"{name} {reason}")
