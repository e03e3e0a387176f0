"""Private: `doctor` finds out why nothing works, without changing anything."""

from typing import Annotated

import typer

from restream_async.cli.doctor.examination import Examination
from restream_async.cli.doctor.rendering import json_fields, print_result
from restream_async.cli.doctor.results import Result
from restream_async.cli.errors import CliError
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.input.video_ids import checked_video_id
from restream_async.cli.options.connection import ConnectionOptions, connection_options
from restream_async.cli.options.nats import NatsCliOptions, nats_options
from restream_async.cli.output.console import result_console
from restream_async.cli.output.restreams import print_json


@connection_options
@nats_options
def doctor(
    connection: ConnectionOptions,
    *,
    nats: NatsCliOptions,
    video: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A live video whose restreams are listed. One that has some shows the most.",
            show_default="a video that does not exist",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Check every step between here and the service, and say what to do where one fails.

    The steps are: settings, proxy, DNS, TCP, TLS, HTTP, the form of the answer, the API key (alone
    and as Bearer), the clock, and the list call; with NATS settings also the NATS server, its
    streams and its limits. A step that needs a failed one is skipped. Each step takes at most 10
    seconds, and all together a minute.

    It only reads, so it changes nothing. The exit code is 0 if no step failed, else 1.
    """
    if video is not None:
        checked_video_id(video, "--video")
    with result_console() as console:

        def report(result: Result) -> None:
            if not as_json:
                print_result(console, result)

        examination = Examination(connection=connection, nats=nats, video_id=video, report=report)
        is_healthy = _run(examination)
        if as_json:
            print_json(console, [json_fields(each) for each in examination.results], indent=2)
    raise typer.Exit(ExitCode.DONE if is_healthy else ExitCode.FAILED)


def _run(examination: Examination) -> bool:
    try:
        return run_async(examination.run())
    except KeyboardInterrupt:
        raise CliError("interrupted", ExitCode.INTERRUPTED) from None
