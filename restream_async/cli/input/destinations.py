"""Private: the restreams of an input: its own, or those of its videos to each destination."""

from pathlib import Path

from restream_async import ConfigurationError
from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import FileRole
from restream_async.cli.input.formats import Format, LineReader
from restream_async.cli.input.source import InputSource
from restream_async.cli.input.videos import VideoReader
from restream_async.destinations import Destination, read_destinations


def reader_of(source: InputSource, format_: Format | None, destinations: Path | None) -> LineReader:
    """Return the reader of an input: of restreams, or with destinations of a list of videos.

    Args:
        source: the open input.
        format_: the format that `--format` names, or None to guess it.
        destinations: the file that `--destinations` names, or None.

    Raises:
        CliError: the input or the destinations cannot be read.

    """
    if destinations is None:
        return LineReader(source.name, format_ or source.guess_format())
    return VideoReader(
        source.name,
        format_ or source.guess_format(),
        destinations_in(destinations),
        file=str(destinations),
        may_be_ids=format_ is None and source.format_by_ending is None,
    )


def roles_of(destinations: Path | None) -> list[FileRole]:
    """Return the file that `--destinations` names, to be compared with others, if there is one."""
    if destinations is None:
        return []
    return [FileRole.of_path(f"the destinations {destinations}", destinations)]


def destinations_in(path: Path) -> tuple[Destination, ...]:
    """Read the destinations of a file.

    Raises:
        CliError: the file or a destination is wrong.

    """
    try:
        return read_destinations(path)
    except ConfigurationError as error:
        message = str(error)
    raise CliError(message)
