"""Private: options that several commands share, and how a command gets a group of them."""

import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import attrs
import typer

from restream_async.cli.input.formats import Format
from restream_async.cli.output.log_format import LogFormat

RETRIES: Final = "Retries and limits"
"""The help section of options for retries."""

_RESTREAM_ID: Final = typer.Argument(
    metavar="ID",
    help="The id of a restream, as create and list show it. "
    "Put -- before an id that begins with a dash.",
)


def add_options(
    group: type[attrs.AttrsInstance], name: str, command: Callable[..., None]
) -> Callable[..., None]:
    """Add an option to a command for each field of an attrs class, after its own options.

    The command gets an instance of the class as its parameter `name`.
    """
    added = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=group.__annotations__[field.name],
        )
        for field in attrs.fields(group)
    ]
    own = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(command).parameters.values()
        if each.name != name
    ]
    parameters = [*own, *added]

    @functools.wraps(command)
    def with_group(**values: Any) -> None:  # noqa: ANN401 - what typer has parsed
        fields = {each.name: values.pop(each.name) for each in added}
        command(**{name: group(**fields)}, **values)

    # typer reads these, not the signature above.
    with_group.__dict__["__signature__"] = inspect.Signature(parameters)
    with_group.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_group


def seconds(text: str) -> float:
    """Parse a number of seconds above 0."""
    value = _number(text)
    if value is None or value <= 0:
        raise typer.BadParameter(f"{text!r} is not a number of seconds above 0")
    return value


def seconds_or_zero(text: str) -> float:
    """Parse a number of seconds, or 0."""
    value = _number(text)
    if value is None or value < 0:
        raise typer.BadParameter(f"{text!r} is not a number of seconds")
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


InputFile: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV or JSON lines, also compressed with gzip; - reads standard input.",
    ),
]
DestinationsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--destinations",
        metavar="PATH",
        help="Create a restream of each video in FILE for each destination in this TOML or JSON "
        "file. FILE is then a list of videos: one id on each line, or CSV or JSON lines with "
        "videoId and the columns that the destinations use.",
    ),
]
InputFormat: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        "--format", help="The format of FILE.", show_default="by its extension, else its content"
    ),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors: no progress, no summary.")
]
LogFormatOption: TypeAlias = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="Make each line on standard error a log line with its time in UTC: as text, or as "
        "JSON. Retries are logged too.",
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="Print JSON without stream keys; of stream URLs only the host."),
]
RestreamId: TypeAlias = Annotated[str, _RESTREAM_ID]
OptionalRestreamId: TypeAlias = Annotated[str | None, _RESTREAM_ID]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
OutageTimeout: TypeAlias = Annotated[
    float,
    typer.Option(
        "--patience",
        parser=seconds,
        metavar="SECONDS",
        help="How long to wait in an outage, when no request succeeds, before giving up.",
        rich_help_panel=RETRIES,
    ),
]
