"""The first reading of a bulk run's input: every line is checked before anything is sent."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

import attrs
from rich.console import Console

from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import Bad, Reader, Row
from restream_async.cli.input.line_numbers import Lines
from restream_async.cli.output.console import is_lively, plural, safe, say

# More than these scroll away; whoever has corrected them sees the next ones.
_MOST_SHOWN: Final = 50
# So many ids of videos are told apart by remembering them.
_MOST_VIDEOS: Final = 100_000
_TELL_EVERY: Final = 10_000


@attrs.frozen(kw_only=True)
class Checked:
    """What an input holds.

    Attributes:
        lines: where each restream stands.
        videos: of how many live videos; None: of very many.

    """

    lines: Lines
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


def check(reader: Reader, lines: Iterable[bytes], console: Console) -> Checked:
    """Read everything, and tell what is wrong with it.

    Raises:
        CliError: a line is bad, or there is none.

    """
    name = safe(reader.name)
    bad = 0
    found = Lines()
    videos: set[str] = set()
    for item in _watched(reader.read(lines), console):
        if isinstance(item, Row):
            found.add(item.line)
            if len(videos) <= _MOST_VIDEOS:
                videos.add(item.restream.video_id)
            continue
        bad += 1
        if bad <= _MOST_SHOWN:
            say(console, f"{name}:{item.line}: {safe(item.reason)}")
    if bad > _MOST_SHOWN:
        say(console, f"… and {plural(bad - _MOST_SHOWN, 'more bad line')}")
    if reader.extra:
        unused = ", ".join(reader.extra)
        say(console, f"Note: {name} has columns or fields that are not used: {unused}")
    if bad:
        raise CliError(
            f"{plural(bad, 'line')} of {name} cannot be sent, so nothing was sent: correct "
            f"{'it' if bad == 1 else 'them'} and run the same command again"
        )
    if not found:
        raise CliError(f"no restreams in {name}")
    return Checked(lines=found, videos=len(videos) if len(videos) <= _MOST_VIDEOS else None)


def _watched(items: Iterator[Row | Bad], console: Console) -> Iterator[Row | Bad]:
    """Hand items on; on a terminal, say how far it is with an input that takes long."""
    with contextlib.ExitStack() as stack:
        status = None
        for number, item in enumerate(items, 1):
            if number % _TELL_EVERY == 0 and is_lively(console):
                if status is None:
                    status = stack.enter_context(console.status(""))
                status.update(f"Checking the input: {number:,} so far")
            yield item
