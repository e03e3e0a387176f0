"""Private: `outcomes` shows what became of the restreams that workers took from the stream."""

from typing import Annotated

import typer

from restream_async.cli.event_loop import run_async
from restream_async.cli.options.nats import NatsCliOptions, nats_options, worker_extra
from restream_async.cli.options.shared import AsJson
from restream_async.cli.options.since import Since


@nats_options
def outcomes(
    *,
    nats: NatsCliOptions,
    since: Since = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only restreams that were not created.")
    ] = False,
    no_follow: Annotated[
        bool,
        typer.Option(
            "--no-follow", help="End after what is there now: all that is kept, or --since."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what became of the restreams on the stream, as it happens, until Ctrl-C.

    Begins with the next outcome, or with --since. The stream keeps outcomes for a week. A restart
    of the NATS server neither ends this command nor loses an outcome.
    """
    options = nats.options()
    with worker_extra():
        from restream_async.cli.commands.outcomes_run import OutcomesRun  # noqa: PLC0415 - needs the extra
    run = OutcomesRun(since=since, failed=failed, follow=not no_follow, as_json=as_json)
    raise typer.Exit(run_async(run.run(options, nats.names)))
