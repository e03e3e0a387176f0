"""Private: the option `--report`: records a run, and writes the report at its end."""

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from rich.console import Console

from restream_async import Failed, Outcome
from restream_async._telemetry import Telemetry
from restream_async.changes import Change
from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.extras import importing
from restream_async.cli.file_roles import FileRole, refuse_unwritable_folder
from restream_async.cli.html_report.contents import Contents
from restream_async.cli.html_report.failure_groups import FailedChanges, FailedItems
from restream_async.cli.html_report.recording import Recording, RecordingTelemetry
from restream_async.cli.output.console import say_copyable, say_error
from restream_async.cli.output.outcome_totals import NOT_SENT, is_not_sent
from restream_async.cli.output.ticker import Ticker
from restream_async.stats import Stats

ReportPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PATH",
        help="Write a report on the run to a file for a browser: numbers, failures by reason, and "
        "charts of rate, load and latency. An older report is replaced.",
    ),
]
Progress: TypeAlias = Callable[[], tuple[int, int]]
"""Returns how many items have ended well so far, and how many have failed."""

_EXTRA: Final = frozenset({"jinja2", "vl_convert"})
# Seconds between two samples.
_EVERY: Final = 0.05
# The beginning of a file, in which a report says that it is one.
_HEAD: Final = 1024
_MARK: Final = b'<meta name="generator" content="restream-async '


class Report:
    """No report: the user wants none.

    Attributes:
        failed_items: the creations that failed.
        failed_changes: the changes that failed.
        telemetry: the telemetry for the client of the run; None: that of the library.

    """

    telemetry: Telemetry | None = None

    def __init__(self) -> None:
        """Begin without anything recorded."""
        self.failed_items = FailedItems()
        self.failed_changes = FailedChanges()

    @property
    def roles(self) -> list[FileRole]:
        """The file, to be compared with others, if there is one."""
        return []

    def record(
        self, progress: Progress, stats: Callable[[], Stats]
    ) -> AbstractAsyncContextManager[None]:
        """Record what happens while a block runs."""
        del progress, stats
        return contextlib.nullcontext()

    def add(self, outcome: Outcome) -> None:
        """Record an outcome."""

    def add_change(self, change: Change) -> None:
        """Record a change."""

    def finish(self, console: Console | None, contents: Callable[[], Contents]) -> bool:
        """Write the report, and print its path, or why it could not be written.

        Call it last: charts take a second, and an error or a signal while they are drawn must lose
        no message.

        Args:
            console: where the path is printed; None: nowhere.
            contents: makes what the report says of the run; called only if one is wanted.

        Returns:
            Whether it is written; true if the user wants none.

        """
        del console, contents
        return True


NO_REPORT: Final = Report()


class HtmlReport(Report):
    """A report in a file."""

    def __init__(self, path: Path) -> None:
        """Name a file that does not exist, or holds an older report; open nothing.

        Raises:
            CliError: the file cannot be written, or the extra is not installed.

        """
        super().__init__()
        _check(path)
        with importing("report", _EXTRA):
            from restream_async.cli.html_report.page import page  # noqa: PLC0415 - needs the extra
        self._page = page
        self._path = path
        self.telemetry = self._telemetry = RecordingTelemetry()

    @property
    def roles(self) -> list[FileRole]:
        """The file, to be compared with others."""
        return [FileRole.of_path(f"the report {self._path}", self._path)]

    @contextlib.asynccontextmanager
    async def record(self, progress: Progress, stats: Callable[[], Stats]) -> AsyncGenerator[None]:
        """Record what happens while a block runs, and forget what happened before."""
        self._telemetry.recording = recording = Recording()
        start = time.monotonic()

        def sample() -> None:
            recording.timeline.sample(time.monotonic() - start, *progress(), stats())

        try:
            async with Ticker(_EVERY, sample):
                yield
        finally:
            sample()

    def add(self, outcome: Outcome) -> None:
        """Record an outcome."""
        if isinstance(outcome, Failed) and not is_not_sent(outcome):
            self.failed_items.add(outcome.index, outcome.error)

    def add_change(self, change: Change) -> None:
        """Record a change."""
        if change.error is not None and not isinstance(change.error, NOT_SENT):
            self.failed_changes.add(change, change.error)

    def finish(self, console: Console | None, contents: Callable[[], Contents]) -> bool:
        """Write the report, and print its path, or why it could not be written."""
        try:
            _write(self._path, self._page(contents(), self._telemetry.recording))
        except OSError as error:
            say_error(f"the report {self._path} could not be written: {system_reason(error)}")
            return False
        if console is not None:
            say_copyable(console, "Report:", str(self._path))
        return True


def report_at(path: Path | None) -> Report:
    """Return the report that the user wants.

    Raises:
        CliError: the file cannot be written, or the extra is not installed.

    """
    return NO_REPORT if path is None else HtmlReport(path)


def _check(path: Path) -> None:
    """Check that a report can be written.

    Raises:
        CliError: it cannot.

    """
    if str(path) == "-":
        raise CliError("--report needs a file, not a standard stream: name a file")
    try:
        path.stat()
    except FileNotFoundError:
        """It is to be created."""
    except OSError as error:
        raise CliError(f"cannot write {path}: {system_reason(error)}") from None
    else:
        if not path.is_file():
            raise CliError(f"{path} is no file: name another file for --report")
        if not _is_report(path):
            raise CliError(f"{path} exists and is no report: name another file for --report")
    refuse_unwritable_folder(path.resolve())


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    real = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=".report-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(real)
    except BaseException:
        Path(name).unlink()
        raise
