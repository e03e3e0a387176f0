"""Private: prints text for people: in colour on a terminal, as plain lines elsewhere."""

import contextlib
import datetime as dt
import re
import sys
from collections.abc import Generator, Iterator
from typing import Any, Final, TextIO, cast

from rich.console import Console
from rich.text import Text

from restream_async._util.redaction import clean
from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.exit_codes import ExitCode

ERROR: Final = "Error: "
"""What an error begins with."""

# A line of `run_summary.counted`: a number, and what it counts.
_NUMBER: Final = re.compile(r" +[\d,]+  ")
_LONGEST: Final = 2000
_MINUTE: Final = 60
_HOUR: Final = 3600


class _Console(Console):
    """A console that goes silent when its reader goes away.

    rich's own console would exit the process in the middle of its work.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _Lossy:
    """Standard error that drops what it cannot write, so that a full disk stops nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the stream
        # rich looks for this attribute to bypass a running `Live` display. Then the text would
        # break the picture.
        if name == "rich_proxied_file":
            raise AttributeError(name)
        return getattr(self._stream, name)


def console_on(stream: TextIO) -> Console:
    """Return a console that shows text unchanged: no markup, no highlighting of numbers.

    Writing to a console on standard error cannot fail.
    """
    file = cast("TextIO", _Lossy(stream)) if stream is sys.stderr else stream
    return _Console(file=file, markup=False, highlight=False, emoji=False)


@contextlib.contextmanager
def result_console(done: str = "") -> Generator[Console]:
    """Give a console on standard output for the result of a command.

    Args:
        done: the effect that the command had, such as `restream 17 was created`.

    Raises:
        CliError: the result cannot be written; the message includes `done`.

    """
    try:
        yield console_on(sys.stdout)
    except OSError as error:
        problem = f"standard output could not be written: {system_reason(error)}"
    else:
        return
    raise CliError(f"{done}, but {problem}" if done else problem, ExitCode.FAILED)


def can_redraw(console: Console) -> bool:
    """Return whether lines can be redrawn. FORCE_COLOR does not make a pipe a terminal."""
    return console.file.isatty() and not console.is_dumb_terminal


def say(console: Console, text: str | Text) -> None:
    """Print one or more lines; they are wrapped on a terminal only."""
    if console.file.isatty():
        text = Text("\n").join(_wrapped(console, Text(text) if isinstance(text, str) else text))
    console.print(text, soft_wrap=True)


def _wrapped(console: Console, text: Text) -> Iterator[Text]:
    """Yield lines that fit the terminal; the text after a leading number keeps its indent."""
    for line in text.split(allow_blank=True):
        number = _NUMBER.match(line.plain)
        indent = number.end() if number else 0
        lines = line[indent:].wrap(console, max(1, console.width - indent))
        for part in lines:
            part.rstrip()
        yield line[:indent] + lines[0]
        for part in lines[1:]:
            yield Text(" " * indent) + part


def say_copyable(console: Console, lead: str, text: str) -> None:
    """Print a text for the user to copy, unbroken: below its lead if the terminal is narrow."""
    fits = not console.file.isatty() or len(lead) + 1 + len(text) <= console.width
    console.print(lead, text, sep=" " if fits else "\n", soft_wrap=True)


def leave_echoed_line(console: Console) -> None:
    """End the line on which a terminal has echoed `^C`, so that the next text wraps correctly."""
    if console.file.isatty():
        console.print()


def say_error(message: str) -> None:
    """Print an error on standard error."""
    say(console_on(sys.stderr), Text.assemble((ERROR, "bold red"), safe(message)))


def safe(text: object) -> str:
    """Return foreign text as one line without control characters, so it cannot steer a terminal."""
    return clean(str(text), _LONGEST)


def plural(count: int, noun: str) -> str:
    """Return for example `1 restream`, `1,000 restreams`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_duration(seconds: float) -> str:
    """Return for example `4.2 s`, `42 s`, `3:20 min`, `1:05:00 h`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter only below two digits
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02} min"
    return f"{dt.timedelta(seconds=whole)} h"
