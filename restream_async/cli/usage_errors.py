"""What is wrong with a command line, as a sentence. It repeats no argument: one may be a key."""

from typing import Any, Final

import typer

from restream_async.cli.hints import program
from restream_async.cli.output.console import say_error

# What typer says to programmers.
_WORDS: Final = {
    "Value error, ": "",
    "Input should be": "it must be",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "a valid number, unable to parse string as a number": "a number",
}


def say_usage(error: typer.TyperException) -> None:
    """Say what is wrong, and what to type instead."""
    said = error.format_message().removesuffix(".")
    for theirs, ours in _WORDS.items():
        said = said.replace(theirs, ours)
    # Only the base of typer's errors has a public name; all that it raises here have a context.
    context: Any = getattr(error, "ctx", None)
    path = program() if context is None else context.command_path
    see = " See" if said.endswith("?") else f"{_with_dashes(error, context)}; see"
    say_error(f"{said[0].lower()}{said[1:]}{see} {path} --help")


def _with_dashes(error: typer.TyperException, context: Any) -> str:  # noqa: ANN401 - as above
    """Return how to write an argument that begins with a dash, if one may be meant."""
    # Where options are spelt nearly so, they are meant.
    if context is None or getattr(error, "possibilities", True):
        return ""
    params = context.command.params
    argument = next((each.metavar for each in params if each.param_type_name == "argument"), "")
    if not argument:
        return ""
    dashes = f"{context.command_path} -- {argument}"
    return f"; if {argument} begins with a dash, put -- before it: {dashes}"
