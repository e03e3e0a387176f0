"""What is wrong with a command line, as a sentence, and what to type instead."""

import shlex
from collections.abc import Sequence

# typer's own copy of click, which has no public name.
from typer._click.exceptions import (  # pyright: ignore[reportPrivateUsage]
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)

from restream_async.cli.hints import program
from restream_async.cli.screen import say_error

__all__ = ["UsageError", "say_usage"]


def say_usage(error: UsageError, arguments: Sequence[str]) -> None:
    """Say what is wrong with the arguments of a command line, and what to type instead."""
    if isinstance(error, NoArgsIsHelpError):
        # The help, which is shown already.
        return
    said = error.format_message().removesuffix(".")
    path = program() if error.ctx is None else error.ctx.command_path
    say_error(f"{said[0].lower()}{said[1:]}{_with_dashes(error, arguments)}; see {path} --help")


def _with_dashes(error: UsageError, arguments: Sequence[str]) -> str:
    """Return how to write an argument that begins with a dash, if one may be meant."""
    if not isinstance(error, NoSuchOption | MissingParameter) or error.ctx is None:
        return ""
    params = error.ctx.command.get_params(error.ctx)
    names = [param.metavar for param in params if param.param_type_name == "argument"]
    known = {name for param in params for name in (*param.opts, *param.secondary_opts)}
    words = [
        word for word in arguments if word.startswith("-") and word.partition("=")[0] not in known
    ]
    if not (names and words) or "--" in words or _is_misspelt(error):
        return ""
    rest = [*arguments]
    rest.remove(words[0])
    typed = shlex.join([*rest, "--", words[0]])
    return f"; if {words[0]} is the {names[0]}, write {program()} {typed}"


def _is_misspelt(error: UsageError) -> bool:
    """Say whether there is an option that is spelt nearly so."""
    return isinstance(error, NoSuchOption) and bool(error.possibilities)
