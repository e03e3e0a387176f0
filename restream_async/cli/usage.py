"""What is wrong with a command line, as a sentence. It repeats no argument: one may be a key."""

from typing import Final

import typer

# typer's own copy of click, which has no public name.
from typer._click.exceptions import (  # pyright: ignore[reportPrivateUsage]
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)

from restream_async.cli.hints import program
from restream_async.cli.screen import say_error

__all__ = ["UsageError", "say_usage"]

# What typer says to programmers.
_WORDS: Final = {
    "Value error, ": "",
    "Input should be": "it must be",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "a valid number, unable to parse string as a number": "a number",
}


def say_usage(error: UsageError) -> None:
    """Say what is wrong, and what to type instead."""
    if isinstance(error, NoArgsIsHelpError):
        # The help; a wide one is shown already.
        typer.echo(error.format_message(), nl=False)
        return
    said = error.format_message().removesuffix(".")
    for theirs, ours in _WORDS.items():
        said = said.replace(theirs, ours)
    path = program() if error.ctx is None else error.ctx.command_path
    see = " See" if said.endswith("?") else f"{_with_dashes(error, path)}; see"
    say_error(f"{said[0].lower()}{said[1:]}{see} {path} --help")


def _with_dashes(error: UsageError, path: str) -> str:
    """Return how to write an argument that begins with a dash, if one may be meant."""
    # Where options are spelt nearly so, they are meant.
    if not isinstance(error, NoSuchOption) or error.possibilities or error.ctx is None:
        return ""
    params = error.ctx.command.params
    names = [param.metavar for param in params if param.param_type_name == "argument"]
    if not names:
        return ""
    return f"; if {names[0]} begins with a dash, put -- before it: {path} -- {names[0]}"
