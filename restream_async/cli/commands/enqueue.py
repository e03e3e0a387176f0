"""Private: `enqueue` puts all restreams of a file on the stream, after checking every line."""

import sys
from typing import Annotated

import typer

from restream_async.cli.event_loop import run_async
from restream_async.cli.input.check import SecondReading, check
from restream_async.cli.input.destinations import reader_of
from restream_async.cli.input.source import InputSource
from restream_async.cli.options.nats import NatsCliOptions, nats_options, worker_extra
from restream_async.cli.options.shared import DestinationsFile, InputFile, InputFormat, Quiet
from restream_async.cli.output.console import console_on, say


@nats_options
def enqueue(  # noqa: PLR0913 - one for each option
    *,
    file: InputFile,
    nats: NatsCliOptions,
    format_: InputFormat = None,
    destinations: DestinationsFile = None,
    replicas: Annotated[
        int, typer.Option(min=1, max=5, help="Copies to keep of a stream that is created.")
    ] = 1,
    check_first: Annotated[
        bool,
        typer.Option(
            "--check-first",
            help="Make workers check even with --trust-stream. Needed if FILE was put on the "
            "stream before, more than two hours ago or before a restart of the NATS server.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check FILE, print what would be put on the stream, and put nothing."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Put all restreams of a file on the stream, for workers to create.

    FILE has the same format as for bulk, and every line is checked first. The server confirms each
    restream. However the command ends, it can be run again at any time: the stream drops what it
    received within the last two hours, and workers check whether a restream exists before they
    create it.
    """
    console = console_on(sys.stderr)
    options = None if dry_run else nats.options()
    with InputSource(file, console) as source:
        reader = reader_of(source, format_, destinations)
        checked = check(reader, source.lines(), console)
        if options is None:
            say(console, f"{checked}. All lines are good; nothing was put (--dry-run).")
            return
        with worker_extra():
            from restream_async.cli.commands.enqueue_run import EnqueueRun  # noqa: PLC0415 - needs the extra
        run = EnqueueRun(
            reading=SecondReading(reader.read(source.lines_again())),
            total=checked.restreams,
            nats=nats,
            console=console,
            quiet=quiet,
            check_first=check_first,
        )
        code = run_async(run.run(options, replicas))
    raise typer.Exit(code)
