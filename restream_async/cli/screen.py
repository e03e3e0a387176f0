"""Writing for people: on a terminal with colours, elsewhere as plain lines."""

import contextlib
import datetime as dt
import os
import sys
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from restream_async.redaction import clean

_LONGEST: Final = 2000
_MINUTE: Final = 60
_HOUR: Final = 3600


class _Console(Console):
    """A console whose reader may go away: what is left to say is then said to nobody.

    rich's own would end the process, in the middle of whatever it is doing.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True


def console_on(stream: TextIO) -> Console:
    """Return a console that shows text as it is: no markup, no guessing at what is a number."""
    return _Console(file=stream, markup=False, highlight=False, emoji=False)


def is_lively(console: Console) -> bool:
    """Say whether lines can be redrawn. A forced colour (FORCE_COLOR) makes no terminal."""
    return console.file.isatty() and not console.is_dumb_terminal


def say(console: Console, text: str | Text) -> None:
    """Print one or more lines; elsewhere than on a terminal they are not wrapped."""
    console.print(text, soft_wrap=not console.file.isatty())


def say_error(sentence: str) -> None:
    """Print what went wrong on standard error."""
    say(console_on(sys.stderr), Text.assemble(("Error: ", "bold red"), safe(sentence)))


def safe(text: object) -> str:
    """Return what somebody else wrote as one line that cannot steer the terminal."""
    return clean(str(text), _LONGEST)


def let_go_of_closed_pipes() -> None:
    """Write out what is left; what nobody reads any more is dropped without a word.

    Python itself would complain when it ends.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of anybody's
                os.dup2(nowhere.fileno(), stream.fileno())


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
