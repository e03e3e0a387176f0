"""`bulk`: create all restreams of a file, after checking every line of it."""

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from restream_async import Outcome, RestreamClient, RetryPolicy
from restream_async.bookkeeping import Repeats
from restream_async.cli.checking import check
from restream_async.cli.connection import client_for
from restream_async.cli.drive import Ride, drive
from restream_async.cli.inputs import Format, Reader
from restream_async.cli.loop import run_async
from restream_async.cli.options import INSISTING, ConnectionOptions, Patience, connected, seconds
from restream_async.cli.outputs import (
    LineWriter,
    opened_for_writing,
    outcome_line,
    refuse_to_overwrite,
)
from restream_async.cli.progress import Display, LiveDisplay, display_on
from restream_async.cli.requests import Requests
from restream_async.cli.screen import console_on, plural, say, say_error
from restream_async.cli.source import Source
from restream_async.cli.summary import complaints, summary
from restream_async.cli.trouble import ExitCode, Trouble, why
from restream_async.config import InDoubt

_NEVER_TWICE: Final = "Never twice, never lost"


@connected
def bulk(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - reads standard input.")
    ],
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="How FILE is written.", show_default="by its ending, else its start"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A new file for the outcomes, readable by you alone.",
            show_default="standard output",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check FILE, say what would be sent, send nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary, only errors.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file that remembers what is done. Run the same command again to resume; "
            "restream-async undo takes back what it created. It holds no keys and no URLs.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="At the end, delete the extra copies that this run itself made.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = False,
    ensure: Annotated[
        bool,
        typer.Option(
            "--ensure",
            help="Look for every restream before creating it.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = False,
    repeats: Annotated[
        Repeats,
        typer.Option(
            help="The same restream (videoId, streamUrl, streamKey) on a further line: existing "
            "creates it once and reports the further ones as existing; create creates one for "
            "each line. In files of more than 30,000 lines, only --journal remembers all of them.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = "existing",
    max_in_flight: Annotated[
        int,
        typer.Option(min=1, help="Requests under way at once, at most.", rich_help_panel=INSISTING),
    ] = 64,
    timeout: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="For one attempt.",
            rich_help_panel=INSISTING,
        ),
    ] = 30.0,
    attempts: Annotated[
        int,
        typer.Option(min=1, help="For one restream, at most.", rich_help_panel=INSISTING),
    ] = 5,
    deadline: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="For one restream, with all attempts and waits.",
            rich_help_panel=INSISTING,
        ),
    ] = 120.0,
    patience: Patience = 300.0,
    in_doubt: Annotated[
        InDoubt,
        typer.Option(
            help="When an answer was lost: confirm looks whether the restream is there before "
            "sending again; raise does so too, and fails where it cannot look; resend never "
            "looks, and can create a restream twice.",
            rich_help_panel=INSISTING,
        ),
    ] = "confirm",
) -> None:
    """Create all restreams of a file. Every line is checked before the first one is sent.

    CSV needs a first line that names the columns videoId, title, streamUrl, streamKey and status
    (true, 1, yes, on or active; false, 0, no, off or inactive); others are ignored. JSON lines
    have the same names, and a real true or false.

    The outcomes are JSON lines, on standard output or in --output: line, index, outcome
    ("created" or "failed"), id, videoId, title, status, origin, attempts, maybeDuplicate; of
    failed ones errorType, error and httpStatus. They hold no stream keys and no stream URLs.

    Ctrl-C finishes what is in flight; a second one stops at once. With --journal, the same
    command resumes it after any end.
    """
    console = console_on(sys.stderr)
    # Whatever can be wrong before the input is read is found before: that may take minutes.
    client = None
    if not dry_run:
        client = client_for(
            connection,
            timeout=timeout,
            retry=RetryPolicy(attempts=attempts, deadline=deadline),
            in_doubt=in_doubt,
            max_in_flight=max_in_flight,
            patience=patience,
        )
    # A run that is resumed reports every outcome again.
    force = force or (journal is not None and journal.exists())
    if output is not None:
        refuse_to_overwrite(output, force=force)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(Source(file, console))
        if output is not None and source.is_same_as(output):
            raise Trouble(f"{output} is the input itself: name another file for the output")
        reader = Reader(source.name, form or source.form())
        checked = check(reader, source.lines(), console)
        if client is None:
            say(console, f"{checked}. All lines are good; nothing was sent (--dry-run).")
            return
        if output is None:
            descriptor = sys.stdout.fileno()
        else:
            descriptor = opened_for_writing(output, force=force)
            stack.callback(os.close, descriptor)
        job = _Job(
            client=client,
            requests=Requests(reader.read(source.same_lines())),
            care=Care(journal=journal, repair=repair, ensure=ensure, repeats=repeats),
            total=checked.restreams,
            input_name=source.name,
            output_name="standard output" if output is None else str(output),
            console=console,
            is_shared=os.path.sameopenfile(descriptor, console.file.fileno()),
            quiet=quiet,
        )
        code = run_async(job.run(descriptor))
    raise typer.Exit(code)


@attrs.frozen(kw_only=True)
class Care:
    """What a run does so as to create nothing twice and to lose nothing."""

    journal: Path | None
    repair: bool
    ensure: bool
    repeats: Repeats


@attrs.frozen(kw_only=True)
class _Job:
    """A checked input on its way to the service."""

    client: RestreamClient
    requests: Requests
    care: Care
    total: int
    input_name: str
    output_name: str
    console: Console
    is_shared: bool
    quiet: bool

    async def run(self, descriptor: int) -> int:
        """Create everything, and write the outcomes to a descriptor."""
        display = display_on(self.console, quiet=self.quiet)
        if isinstance(display, LiveDisplay) and self.is_shared:
            # Outcomes and progress share a terminal: what went past the display would tear it.
            ride = await self._drive(display, _above(display))
            return self._end(ride, None)
        async with LineWriter(descriptor) as writer:
            ride = await self._drive(display, writer.write)
            if ride.cut_short:
                writer.abandon()
        return self._end(ride, writer)

    async def _drive(self, display: Display, write: Callable[[str], Awaitable[bool]]) -> Ride:
        async def heed(outcome: Outcome) -> bool:
            return await write(outcome_line(outcome, self.requests.line_of(outcome)))

        async with self.client:
            return await drive(
                self.client,
                self.client.create_many(
                    self.requests,
                    journal=self.care.journal,
                    repair=self.care.repair,
                    ensure=self.care.ensure,
                    repeats=self.care.repeats,
                ),
                total=self.total,
                display=display,
                heed=heed,
            )

    def _end(self, ride: Ride, writer: LineWriter | None) -> int:
        """Say how it ended, and return the exit code."""
        if not self.quiet:
            say(self.console, summary(ride))
        for sentence in (
            *complaints(ride, self._line),
            *self._not_sent(ride),
            *self._not_written(writer),
        ):
            say_error(sentence)
        if self.care.journal is not None and not ride.is_perfect:
            say(
                self.console,
                "To resume, run the same command again: what is done is not sent again.",
            )
        if ride.signal_code is not None:
            return ride.signal_code
        if self.requests.trouble is not None:
            return self.requests.trouble.code
        written = writer is None or writer.error is None
        return ExitCode.DONE if ride.is_perfect and written else ExitCode.FAILED

    def _line(self, index: int) -> str:
        return f"line {self.requests.lines[index]:,} of {self.input_name}"

    def _not_sent(self, ride: Ride) -> Iterator[str]:
        requests = self.requests
        last = f"line {requests.last_line:,} of {self.input_name}"
        unknown = requests.given - ride.counts.created - ride.failed
        if unknown:
            yield (
                f"{plural(unknown, 'restream')} in flight may or may not have been created: see "
                f"what is there of the videos up to {last}"
            )
        if requests.trouble is not None:
            yield str(requests.trouble)
        elif requests.given < self.total:
            rest = plural(self.total - requests.given, "restream")
            yield f"{rest} not sent: what stands after {last}"

    def _not_written(self, writer: LineWriter | None) -> Iterator[str]:
        if writer is not None and writer.error is not None:
            lost = plural(writer.dropped, "outcome")
            yield f"{lost} could not be written to {self.output_name}: {why(writer.error)}"


def _above(display: Display) -> Callable[[str], Awaitable[bool]]:
    async def write(line: str) -> bool:
        display.note(line)
        return True

    return write
