"""The commands, put together; and what becomes of their troubles."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from restream_async import RestreamError
from restream_async.cli.commands.bulk import bulk
from restream_async.cli.commands.demo import demo
from restream_async.cli.commands.enqueue import enqueue
from restream_async.cli.commands.sandbox import sandbox
from restream_async.cli.commands.single import create, delete, list_, toggle
from restream_async.cli.commands.undo import undo
from restream_async.cli.commands.worker import asyncapi, worker
from restream_async.cli.errors import CliError, ExitCode, code_of, told, why
from restream_async.cli.hints import PROGRAM, program
from restream_async.cli.narrow_help import Command, Group
from restream_async.cli.output.console import say_error
from restream_async.cli.usage_errors import say_usage

app = typer.Typer(
    name=PROGRAM,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    # typer's own tracebacks would show local variables, keys among them.
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        from restream_async import __version__  # noqa: PLC0415 - looked up only where it is asked for

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(
    epilog="The service is named by RESTREAM_BASE_URL and RESTREAM_PROJECT_ID, or by options; "
    "the API key comes from RESTREAM_API_KEY or a file. Exit codes: 0 all done, 1 some failed, "
    "2 usage, configuration or input is wrong, 130 interrupted, 143 terminated."
)
def _about(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Create restreams on the VP live-video platform: one or a million, each exactly once.

    Begin with `restream-async demo`, which needs no account.
    """


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "demo": demo,
    "create": create,
    "bulk": bulk,
    "list": list_,
    "toggle": toggle,
    "delete": delete,
    "undo": undo,
    "sandbox": sandbox,
    "enqueue": enqueue,
    "worker": worker,
    "asyncapi": asyncapi,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=Command)(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line, and return its exit code. Only a bug raises."""
    code = _run(arguments or ["--help"])
    return code if arguments else ExitCode.USAGE


def _run(arguments: Sequence[str]) -> int:
    try:
        code: object = app(args=list(arguments), prog_name=program(), standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.DONE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.FAILED
    except typer.TyperException as error:
        say_usage(error)
        return ExitCode.USAGE
    except typer.Abort:
        say_error("the input ended before there was an answer; nothing was done")
    except CliError as trouble:
        say_error(str(trouble))
        return trouble.code
    except RestreamError as error:
        say_error(told(error))
        return code_of(error)
    except OSError as error:
        # Of help texts and the like, which are written outside of our own hands.
        say_error(why(error))
    return ExitCode.FAILED
