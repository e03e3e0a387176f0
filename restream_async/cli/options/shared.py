"""Options that several commands share, written down once."""

import functools
import inspect
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeAlias

import attrs
import typer

_P = ParamSpec("_P")

_PANEL: Final = "Connection"
INSISTING: Final = "Retries and limits"


@attrs.frozen(kw_only=True)
class ConnectionOptions:
    """Where the service is and as whom to call it, as far as options say; None: not given."""

    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="RESTREAM_BASE_URL",
            help="Scheme and host of the service, such as https://api.example.com.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    project_id: Annotated[
        str | None,
        typer.Option(
            envvar="RESTREAM_PROJECT_ID",
            help="The project that owns the restreams.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file with the API key, instead of the variable RESTREAM_API_KEY. "
            "A key is never given as an argument: every process could read it.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    auth_scheme: Annotated[
        str | None,
        typer.Option(
            envvar="RESTREAM_AUTH_SCHEME",
            metavar="WORD",
            help="A word before the key in the Authorization header, such as Bearer.",
            show_default="the key alone",
            rich_help_panel=_PANEL,
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Trust the certificate authorities in this file (PEM), and no others.",
            show_default="those of the system, or of the variable SSL_CERT_FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A proxy to go through, such as http://proxy.example.com:3128. A URL with a "
            "password belongs in HTTPS_PROXY: every process can read an argument.",
            show_default="what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say",
            rich_help_panel=_PANEL,
        ),
    ] = None
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http",
            help="Permit plain http:// beyond this machine: the key travels unencrypted.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    @property
    def given(self) -> bool:
        """Whether any of it stands on the command line, not only in the environment."""
        return any(
            value not in {None, False} and str(value) != os.environ.get(f"RESTREAM_{name.upper()}")
            for name, value in attrs.asdict(self).items()
        )


def connected(
    command: Callable[Concatenate[ConnectionOptions, _P], None],
) -> Callable[..., None]:
    """Give a command the options of a connection, as its parameter `connection`."""
    return gathered(ConnectionOptions, "connection", command)


def gathered(
    kind: type[attrs.AttrsInstance], name: str, command: Callable[..., None]
) -> Callable[..., None]:
    """Give a command an option for each field of an attrs class, after its own.

    It gets them as one object, by its parameter `name`.
    """
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=kind.__annotations__[field.name],
        )
        for field in attrs.fields(kind)
    ]
    own = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(command).parameters.values()
        if each.name != name
    ]
    parameters = [*own, *shared]

    @functools.wraps(command)
    def gathering(**values: Any) -> None:  # noqa: ANN401 - what typer read
        given = {each.name: values.pop(each.name) for each in shared}
        command(**{name: kind(**given)}, **values)

    # What typer reads instead of the signature above.
    gathering.__dict__["__signature__"] = inspect.Signature(parameters)
    gathering.__annotations__ = {each.name: each.annotation for each in parameters}
    return gathering


def seconds(text: str) -> float:
    """Read an option that is a number of seconds above 0."""
    value = _number(text)
    if value is None or value <= 0:
        raise typer.BadParameter(f"{text!r} is not a number of seconds above 0")
    return value


Patience: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=seconds,
        metavar="SECONDS",
        help="When nothing succeeds any more: how long to wait for the service to come back.",
        rich_help_panel=INSISTING,
    ),
]
"""Of a command that goes on for long: `bulk` and `undo`."""


def duration(text: str) -> float:
    """Read an option that is a number of seconds, or 0."""
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
