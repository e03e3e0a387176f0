"""`enqueue`: put all restreams of a file on the stream, after checking every line of it."""

import sys
from typing import Annotated

import typer

from restream_async.cli.event_loop import run_async
from restream_async.cli.input.check import check
from restream_async.cli.input.formats import Format, Reader, Row
from restream_async.cli.input.source import Source
from restream_async.cli.options.nats import NatsChoice, on_nats, worker_extra
from restream_async.cli.output.console import console_on, say


@on_nats
def enqueue(  # noqa: PLR0913 - one for each option
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="CSV or JSON lines, also compressed with gzip; - reads standard input.",
        ),
    ],
    nats: NatsChoice,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="How FILE is written.", show_default="by its ending, else its start"
        ),
    ] = None,
    replicas: Annotated[
        int, typer.Option(min=1, max=5, help="Copies of a stream that has to be made.")
    ] = 1,
    look_first: Annotated[
        bool,
        typer.Option(
            "--look-first",
            help="Let workers with --trust-stream check too: for a file that was put there more "
            "than two hours ago, or before the NATS server was restarted.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check FILE, say what would be put, put nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary, only errors.")
    ] = False,
) -> None:
    """Put all restreams of a file on the stream, for workers to create.

    FILE is what bulk takes, and every line of it is checked first. Each is confirmed by the
    server. After any end run it again, at any time: what the stream had within the last two hours
    it drops, and workers check what exists before they create it.
    """
    console = console_on(sys.stderr)
    options = None if dry_run else nats.options()
    with Source(file, console) as source:
        reader = Reader(source.name, form or source.form())
        checked = check(reader, source.lines(), console)
        if options is None:
            say(console, f"{checked}. All lines are good; nothing was put (--dry-run).")
            return
        with worker_extra():
            from restream_async.cli.commands.enqueue_run import PublishRun  # noqa: PLC0415 - needs the extra
        # They were all good a moment ago, and must be the same.
        rows = reader.read(source.same_lines())
        job = PublishRun(
            restreams=(row.restream for row in rows if isinstance(row, Row)),
            total=checked.restreams,
            nats=nats,
            console=console,
            quiet=quiet,
            look_first=look_first,
        )
        code = run_async(job.run(options, replicas))
    raise typer.Exit(code)
