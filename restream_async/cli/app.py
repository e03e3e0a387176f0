"""Private: the table of commands, and the exit code and message for each error."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from restream_async import RestreamError
from restream_async.cli.commands import dead
from restream_async.cli.commands.apply import apply
from restream_async.cli.commands.asyncapi import asyncapi
from restream_async.cli.commands.bulk import bulk
from restream_async.cli.commands.config import config
from restream_async.cli.commands.create import create
from restream_async.cli.commands.delete import delete
from restream_async.cli.commands.demo import demo
from restream_async.cli.commands.doctor import doctor
from restream_async.cli.commands.enable_disable import disable, enable
from restream_async.cli.commands.enqueue import enqueue
from restream_async.cli.commands.list import list_
from restream_async.cli.commands.outcomes import outcomes
from restream_async.cli.commands.plan import plan
from restream_async.cli.commands.sandbox import sandbox
from restream_async.cli.commands.toggle import toggle
from restream_async.cli.commands.undo import undo
from restream_async.cli.commands.worker import worker
from restream_async.cli.errors import CliError, describe, exit_code_of, system_reason
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import PROGRAM, program
from restream_async.cli.narrow_help import Command, Group
from restream_async.cli.output.console import say_error
from restream_async.cli.output.library_warnings import shown_warnings
from restream_async.cli.output.log_format import end_log, log_bug
from restream_async.cli.usage_errors import say_usage_error

app = typer.Typer(
    name=PROGRAM,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    # typer's tracebacks would show local variables, and so keys.
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer passes it by position
    if value:
        from restream_async import __version__  # noqa: PLC0415 - reads the package metadata

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Set RESTREAM_BASE_URL, RESTREAM_PROJECT_ID and RESTREAM_API_KEY, or pass options "
    "instead. Exit codes: 0 all done, 1 some failed, 2 usage, configuration or input is wrong, "
    "3 (plan) there are changes to make, 130 interrupted, 143 terminated."
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

    Start with `restream-async demo`, which needs no account.
    """


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "demo": demo,
    "create": create,
    "bulk": bulk,
    "plan": plan,
    "apply": apply,
    "list": list_,
    "enable": enable,
    "disable": disable,
    "toggle": toggle,
    "delete": delete,
    "undo": undo,
    "config": config,
    "doctor": doctor,
    "sandbox": sandbox,
    "enqueue": enqueue,
    "worker": worker,
    "outcomes": outcomes,
    "asyncapi": asyncapi,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=Command)(_command)
_dead = typer.Typer(
    cls=Group, help="Show, retry or drop dead letters: restreams that workers did not create."
)
for _name, _command in {"list": dead.list_, "retry": dead.retry, "drop": dead.drop}.items():
    _dead.command(_name, cls=Command)(_command)
app.add_typer(_dead, name="dead")


def run(arguments: Sequence[str]) -> int:
    """Run a command line, and return its exit code. Only a bug raises, unless it is logged."""
    try:
        with shown_warnings():
            code = _run(arguments or ["--help"])
    except Exception:
        if not log_bug():
            raise
        code = ExitCode.FAILED
    finally:
        end_log()
    return code if arguments else ExitCode.USAGE


def _run(arguments: Sequence[str]) -> int:
    try:
        code: object = app(args=list(arguments), prog_name=program(), standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.DONE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.FAILED
    except typer.TyperException as error:
        say_usage_error(error)
        return ExitCode.USAGE
    except typer.Abort:
        say_error("the input ended before the question was answered, so nothing was done")
    except CliError as error:
        say_error(str(error))
        return error.code
    except RestreamError as error:
        say_error(describe(error))
        return exit_code_of(error)
    except OSError as error:
        # For example when typer writes a help text to a full disk.
        say_error(system_reason(error))
    return ExitCode.FAILED
