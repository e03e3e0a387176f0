"""Private: standard error as a log: each line with its time, as text or as JSON."""

import copy
import datetime as dt
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Literal, TextIO, TypeAlias, cast

from pythonjsonlogger.json import JsonFormatter
from rich.text import Text

from restream_async.cli.output.console import ERROR, console_on
from restream_async.errors import RestreamError

LogFormat: TypeAlias = Literal["text", "json"]

_ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

_log: Final = logging.getLogger("restream_async.cli")
# What ends the log.
_ends: Final[list[Callable[[], object]]] = []


def start_log(format_: LogFormat | None, *, default: LogFormat | None = None) -> None:
    """Log to standard error, from level INFO on, until `end_log`.

    Args:
        format_: of each line on standard error, also of what is printed there; None: what is
            printed stays as it is.
        default: the format of the log if there is no `format_`; None: then there is no log.

    """
    chosen = format_ or default
    if chosen is None:
        return
    root, stderr, level = logging.getLogger(), sys.stderr, logging.getLogger().level
    # A console on standard error drops what cannot be written.
    handler = logging.StreamHandler(console_on(stderr).file)
    handler.setFormatter(_Json() if chosen == "json" else _Text())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    if format_ is not None:
        sys.stderr = cast("TextIO", _LoggedLines(stderr))

    def end() -> None:
        root.removeHandler(handler)
        root.setLevel(level)
        sys.stderr = stderr

    _ends.append(end)


def logs_all_lines() -> bool:
    """Return whether each line on standard error becomes a line of the log."""
    return isinstance(sys.stderr, _LoggedLines)


def end_log() -> None:
    """Stop logging, and restore standard error."""
    while _ends:
        _ends.pop()()


def log_bug() -> bool:
    """Log the exception that is being handled, if there is a log; return whether there is."""
    if _ends:
        _log.critical("this is a bug", exc_info=True)
    return bool(_ends)


class _LoggedLines:
    """A stream that logs each line, in place of `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            # FORCE_COLOR makes rich colour what is no terminal.
            plain = Text.from_ansi(line).plain.strip()
            if plain:
                level = logging.ERROR if plain.startswith(ERROR) else logging.INFO
                _log.log(level, "%s", plain.removeprefix(ERROR))
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line is logged when it ends."""

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the stream
        return getattr(self._stream, name)


class _Safe(logging.Formatter):
    """Leaves out what may hold the arguments of a call, and so a stream key."""

    seconds = "seconds"

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_text = None
        if record.name == "asyncio":
            # The further lines are the reprs of tasks and exceptions.
            record.msg, record.args = record.getMessage().partition("\n")[0], ()
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        del datefmt
        time = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return time.isoformat(timespec=self.seconds).replace("+00:00", "Z")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        return "" if ei[1] is None else "".join(_traceback(ei[1])).rstrip()


class _Text(_Safe):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")


class _Json(_Safe, JsonFormatter):
    seconds = "milliseconds"

    def __init__(self) -> None:
        JsonFormatter.__init__(  # pyright: ignore[reportUnknownMemberType] - untyped callables
            self,
            ["asctime", "levelname", "name", "message"],
            rename_fields={
                "asctime": "time",
                "levelname": "level",
                "name": "logger",
                "exc_info": "traceback",
            },
        )


def _traceback(error: BaseException) -> Iterator[str]:
    """Yield the lines of a traceback, with the text of the library's own errors only."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _traceback(before)
        yield "\n"
    yield from traceback.format_tb(error.__traceback__)
    text = f": {error}" if isinstance(error, RestreamError) else ""
    yield f"{type(error).__qualname__}{text}\n"
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _traceback(part)
