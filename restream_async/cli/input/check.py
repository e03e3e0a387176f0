"""Private: checks every line of an input before anything is sent."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs
from rich.console import Console

from restream_async import NewRestream
from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import BadLine, LineReader, Row
from restream_async.cli.input.line_numbers import LineNumbers
from restream_async.cli.input.suspicious_lines import SuspiciousLines
from restream_async.cli.output.console import can_redraw, plural, safe, say, say_error
from restream_async.cli.output.rejects_file import RejectsFile

# More would scroll away; the next check shows the next ones.
_MOST_SHOWN: Final = 50
# Above this number, the ids are not kept to count them.
_MOST_VIDEOS: Final = 100_000
_STATUS_EVERY: Final = 10_000
_NO_REJECTS: Final = RejectsFile()


@attrs.frozen(kw_only=True)
class CheckedInput:
    """What a checked input contains.

    Attributes:
        lines: the line of each restream.
        videos: the number of live videos, or None if there are too many to count.

    """

    lines: LineNumbers
    videos: int | None

    @property
    def restreams(self) -> int:
        """How many there are to create."""
        return len(self.lines)

    def __str__(self) -> str:
        """Return for example `1,000 restreams for 20 live videos`."""
        if self.videos is None:
            videos = f"more than {_MOST_VIDEOS:,} live videos"
        else:
            videos = plural(self.videos, "live video")
        return f"{plural(self.restreams, 'restream')} for {videos}"


class SecondReading:
    """Yields the restreams of a checked input.

    Attributes:
        error: why the reading ended early, or None; it cannot be raised inside a run.

    """

    def __init__(self, items: Iterable[Row | BadLine]) -> None:
        """Read `items` as they are asked for."""
        self.error: CliError | None = None
        self._items = items

    def __iter__(self) -> Iterator[NewRestream]:
        """Yield the restreams."""
        try:
            for item in self._items:
                # The first reading has found no bad line, and the source has made sure that they
                # are the same. But a stream key may have gone from its file or variable.
                if isinstance(item, BadLine):
                    self.error = CliError(
                        f"line {item.line:,} was good and is no longer: {item.reason}; nothing "
                        "from this line on was sent"
                    )
                    return
                yield item.restream
        except CliError as error:
            self.error = error


def check(  # noqa: PLR0913 - the parts of an input
    reader: LineReader,
    lines: Iterable[bytes],
    console: Console,
    *,
    rejects: RejectsFile = _NO_REJECTS,
    on_restream: Callable[[NewRestream], None] | None = None,
    screen: Callable[[Iterator[Row | BadLine]], Iterator[Row | BadLine]] = iter,
) -> CheckedInput:
    """Read an input to its end, and print what is wrong with it, or may be.

    Args:
        reader: reads the lines.
        lines: the input.
        console: shows what is wrong.
        rejects: gets the bad lines.
        on_restream: is called with each restream.
        screen: replaces further rows by bad lines.

    Raises:
        CliError: a line is bad, or the input has no restreams.

    """
    name = safe(reader.name)
    bad = 0
    found = LineNumbers(per_line=reader.per_line)
    videos: set[str] = set()
    suspicious = SuspiciousLines()
    for item in _with_status(screen(reader.read(lines)), console):
        if isinstance(item, Row):
            found.add(item.line)
            if len(videos) <= _MOST_VIDEOS:
                videos.add(item.restream.video_id)
            suspicious.look_at(item.restream, line=item.line, length=len(reader.record))
            if on_restream is not None:
                on_restream(item.restream)
            continue
        bad += 1
        rejects.write(reader.header, reader.record)
        if bad <= _MOST_SHOWN:
            say(console, f"{name}:{item.line}: {safe(item.reason)}")
    for note in _notes(reader, suspicious, more=bad - _MOST_SHOWN):
        say(console, note)
    if bad:
        _finish(rejects, console)
        raise CliError(
            f"{plural(bad, 'line')} of {name} cannot be sent, so nothing was sent: correct "
            f"{'it' if bad == 1 else 'them'} and run the same command again"
        )
    if not found:
        raise CliError(f"{name} has no restreams, so nothing was sent")
    return CheckedInput(lines=found, videos=len(videos) if len(videos) <= _MOST_VIDEOS else None)


def _notes(reader: LineReader, suspicious: SuspiciousLines, *, more: int) -> Iterator[str]:
    """Yield what is to be said about an input as a whole."""
    if more > 0:
        yield f"… and {plural(more, 'more bad line')}"
    name = safe(reader.name)
    if reader.extra:
        yield f"Note: {name} has columns or fields that are ignored: {', '.join(reader.extra)}"
    yield from suspicious.warnings(name)


def _finish(rejects: RejectsFile, console: Console) -> None:
    """Print where the bad lines are, or that they could not be written."""
    if problem := rejects.finish():
        say_error(problem)
    elif rejects.path is not None:
        say(console, f"The bad lines are in {safe(rejects.path)}.")


def _with_status(items: Iterator[Row | BadLine], console: Console) -> Iterator[Row | BadLine]:
    """Yield the items; on a terminal, show how far the check of a long input is."""
    with contextlib.ExitStack() as stack:
        status = None
        for number, item in enumerate(items, 1):
            if number % _STATUS_EVERY == 0 and can_redraw(console):
                if status is None:
                    status = stack.enter_context(console.status(""))
                status.update(f"Checking the input: {number:,} so far")
            yield item
