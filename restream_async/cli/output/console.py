"""Writing for people: on a terminal with colours, elsewhere as plain lines."""

import contextlib
import datetime as dt
import re
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, TextIO, cast

from rich.console import Console
from rich.text import Text

from restream_async._util.redaction import clean
from restream_async.cli.errors import CliError, ExitCode, why

# Seconds between two lines of progress.
LOG_EVERY: Final = 10.0
TERMINAL_EVERY: Final = 2.0
# As `summary.counted` writes them.
_NUMBER: Final = re.compile(r" +[\d,]+  ")
_LONGEST: Final = 2000
_MINUTE: Final = 60
_HOUR: Final = 3600


class _Console(Console):
    """A console whose reader may go away: what is left to say is then said to nobody.

    rich's own would end the process, in the middle of whatever it is doing.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _Lossy:
    """Standard error, which may be full: what cannot be written is lost, and stops nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def console_on(stream: TextIO) -> Console:
    """Return a console that shows text as it is: no markup, no guessing at what is a number.

    Writing to one on standard error cannot fail.
    """
    file = cast("TextIO", _Lossy(stream)) if stream is sys.stderr else stream
    return _Console(file=file, markup=False, highlight=False, emoji=False)


@contextlib.contextmanager
def result_console(done: str = "") -> Generator[Console]:
    """Give a console on standard output, for a result.

    Args:
        done: the effect that exists by now, such as `restream 17 was created`.

    Raises:
        CliError: the result cannot be written; says what was done all the same.

    """
    try:
        yield console_on(sys.stdout)
    except OSError as error:
        sentence = f"standard output could not be written: {why(error)}"
    else:
        return
    raise CliError(f"{done}, but {sentence}" if done else sentence, ExitCode.FAILED)


def is_lively(console: Console) -> bool:
    """Say whether lines can be redrawn. A forced colour (FORCE_COLOR) makes no terminal."""
    return console.file.isatty() and not console.is_dumb_terminal


def say(console: Console, text: str | Text) -> None:
    """Print one or more lines; elsewhere than on a terminal they are not wrapped."""
    if console.file.isatty():
        text = Text("\n").join(_wrapped(console, Text(text) if isinstance(text, str) else text))
    console.print(text, soft_wrap=True)


def _wrapped(console: Console, text: Text) -> Iterator[Text]:
    """Yield lines as wide as a terminal; what a number counts stays in its column."""
    for line in text.split(allow_blank=True):
        number = _NUMBER.match(line.plain)
        indent = number.end() if number else 0
        lines = line[indent:].wrap(console, max(1, console.width - indent))
        for part in lines:
            part.rstrip()
        yield line[:indent] + lines[0]
        for part in lines[1:]:
            yield Text(" " * indent) + part


def say_to_copy(console: Console, lead: str, text: str) -> None:
    """Print what is to be copied in one piece: on a narrow terminal, below what leads to it."""
    room = not console.file.isatty() or len(lead) + 1 + len(text) <= console.width
    console.print(lead, text, sep=" " if room else "\n", soft_wrap=True)


def time_of_day() -> str:
    """Return for example `14:05:09`."""
    return time.strftime("%H:%M:%S")


class ProgressLines:
    """Progress as lines: on a terminal every two seconds; in a log every ten, with the time."""

    def __init__(
        self,
        console: Console,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], str] = time_of_day,
    ) -> None:
        """Write to `console`; `now` returns seconds, `clock` the time of day."""
        self._console = console
        self._now = now
        self._clock = clock
        self._every = TERMINAL_EVERY if is_lively(console) else LOG_EVERY
        self._last = now()

    def offer(self, text: str) -> None:
        """Print a line if the next one is due."""
        if self._now() - self._last < self._every:
            return
        self._last = self._now()
        say(self._console, text if is_lively(self._console) else f"{self._clock()}  {text}")


def begin_line(console: Console) -> None:
    """Leave the line on which a terminal echoes `^C`, so that what follows is wrapped well."""
    if console.file.isatty():
        console.print()


def say_error(sentence: str) -> None:
    """Print what went wrong on standard error."""
    say(console_on(sys.stderr), Text.assemble(("Error: ", "bold red"), safe(sentence)))


def safe(text: object) -> str:
    """Return what somebody else wrote as one line that cannot steer the terminal."""
    return clean(str(text), _LONGEST)


def plural(count: int, noun: str) -> str:
    """Return for example `1 restream`, `1,000 restreams`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def lasting(seconds: float) -> str:
    """Return for example `4.2 s`, `42 s`, `3:20 min`, `1:05:00 h`."""
    if seconds < 10:  # noqa: PLR2004 - from two digits on, tenths are noise
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02} min"
    return f"{dt.timedelta(seconds=whole)} h"
