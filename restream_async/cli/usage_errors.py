"""Private: says what is wrong with a command line. It repeats no argument: one may be a key."""

from typing import Any, Final

import typer

from restream_async.cli.hints import program
from restream_async.cli.output.console import say_error

# typer's terms for programmers.
_PLAIN_WORDS: Final = {
    "Value error, ": "",
    "Input should be": "it must be",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "a valid number, unable to parse string as a number": "a number",
}


def say_usage_error(error: typer.TyperException) -> None:
    """Print what is wrong, and which help to read."""
    text = error.format_message().removesuffix(".")
    for typers, plain in _PLAIN_WORDS.items():
        text = text.replace(typers, plain)
    # typer gives no public name to its errors that have a context.
    context: Any = getattr(error, "ctx", None)
    path = program() if context is None else context.command_path
    see = " See" if text.endswith("?") else f"{_dash_hint(error, context)}; see"
    say_error(f"{text[0].lower()}{text[1:]}{see} {path} --help")


def _dash_hint(error: typer.TyperException, context: Any) -> str:  # noqa: ANN401 - as above
    """Return how to write an argument that begins with a dash, if the user may have meant one."""
    # If similar options exist, the user meant one of them.
    if context is None or getattr(error, "possibilities", True):
        return ""
    params = context.command.params
    argument = next((each.metavar for each in params if each.param_type_name == "argument"), "")
    if not argument:
        return ""
    dashes = f"{context.command_path} -- {argument}"
    return f"; if {argument} begins with a dash, put -- before it: {dashes}"
