"""Private: `plan` shows the difference between the wanted restreams and those at the service."""

import sys

import typer
from rich.text import Text

from restream_async import RestreamClient
from restream_async.cli.commands.wanted_run import RunEnd, WantedInput, carry_out
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.input.source import InputSource
from restream_async.cli.options.connection import ConnectionOptions, connection_options
from restream_async.cli.options.retries_and_limits import RetryOptions, retry_options
from restream_async.cli.options.shared import AsJson, DestinationsFile, InputFile, InputFormat
from restream_async.cli.options.wanted import Prune, Rotate
from restream_async.cli.output.change_output import ChangeOutput, Screen, change_output
from restream_async.cli.output.console import console_on, plural, result_console, say, say_error
from restream_async.cli.output.run_summary import success_mark


@connection_options
@retry_options
def plan(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    retries: RetryOptions,
    *,
    file: InputFile,
    format_: InputFormat = None,
    destinations: DestinationsFile = None,
    rotate: Rotate = False,
    prune: Prune = False,
    as_json: AsJson = False,
) -> None:
    """Compare the wanted restreams of a file with what the service has. Nothing is changed.

    FILE has the same format as for bulk: it names all restreams that its videos should have. The
    command reads each of these videos once, and shows what apply would create, enable, disable,
    rotate (replace the stream key) and delete. Pass it the same --rotate and --prune as apply. What
    is as wanted is only counted.

    It also shows what needs one of these options, and restreams whose title differs: the service
    has no call that changes a title. A restream is "unclear" if the service does not show its
    stream key or URL in full.

    With --json, each line is a change, also those with the action "keep": action, videoId, title,
    host, wantedStatus, id and status (of the existing restream), differences, extra, duplicate,
    unclear, needs ("rotate", "prune" or empty) and inSync; if the video could not be read, also
    errorType, error and httpStatus.

    Exit codes: 0 all is as wanted, 3 there are changes to make, 1 a video could not be read.
    """
    err = console_on(sys.stderr)
    client = retries.client(connection)
    with InputSource(file, err) as source:
        wanted = WantedInput.checked(source, format_, destinations, err)
        with result_console() as out:
            screen = Screen(out=out, err=err)
            code = run_async(
                _plan(client, wanted, screen, rotate=rotate, prune=prune, as_json=as_json)
            )
    raise typer.Exit(code)


async def _plan(  # noqa: PLR0913 - those of the command
    client: RestreamClient,
    wanted: WantedInput,
    screen: Screen,
    *,
    rotate: bool,
    prune: bool,
    as_json: bool,
) -> int:
    async with client, change_output(screen, as_json=as_json, applied=False) as output:
        run = client.plan(wanted, rotate=rotate, prune=prune)
        end = await carry_out(client, run, output, screen, applied=False)
    say(screen.err if as_json else screen.out, plan_summary(end))
    return plan_code(end, output)


def plan_summary(end: RunEnd) -> Text:
    """Return what is to be done, in numbers."""
    videos = plural(end.videos, "video")
    sentence = end.totals.sentence or "nothing read"
    if end.totals.is_in_sync and end.early_code is None:
        is_ = "is" if end.videos == 1 else "are"
        head = success_mark(success=True).append(f"{videos} {is_} in sync", "bold")
        return end.with_remarks(head.append(f": {sentence}"))
    head = Text() if end.totals.unread == 0 else success_mark(success=False)
    return end.with_remarks(head.append(videos, "bold").append(f": {sentence}"))


def plan_code(end: RunEnd, output: ChangeOutput) -> int:
    """Print what went wrong, and return the exit code."""
    end.say_error()
    if output.problem:
        say_error(output.problem)
    if end.early_code is not None:
        return end.early_code
    if output.problem or end.totals.unread:
        return ExitCode.FAILED
    return ExitCode.DONE if end.totals.is_in_sync else ExitCode.CHANGES
