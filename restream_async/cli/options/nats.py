"""Private: the options for the NATS server, its streams and its subjects."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from restream_async.cli.errors import CliError
from restream_async.cli.extras import importing
from restream_async.cli.options.shared import add_options
from restream_async.errors import ConfigurationError
from restream_async.worker.subjects import (
    FILE_VARIABLES,
    URL_VARIABLE,
    Subjects,
    nats_variables,
)

if TYPE_CHECKING:
    from restream_async.worker.nats_connection import NatsOptions

_EXTRA: Final = frozenset({"nats", "nkeys", "opentelemetry", "prometheus_client"})
_PANEL: Final = "NATS"
_DEFAULTS: Final = Subjects()


def _file(name: str, text: str) -> Any:  # noqa: ANN401 - typer gives its options no type
    help_ = f"{text} Default: the variable {FILE_VARIABLES[name]}."
    return typer.Option(metavar="PATH", help=help_, rich_help_panel=_PANEL)


@attrs.frozen(kw_only=True)
class NatsCliOptions:
    """How to reach the NATS server, and the names that are used there, as far as options say."""

    nats_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The address of the server, such as nats://127.0.0.1:4222, or tls://… to refuse "
            "unencrypted connections. Separate several by commas. Default: the variable "
            f"{URL_VARIABLE}; put a URL with a password there.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    nats_creds: Annotated[Path | None, _file("credentials", "A .creds file.")] = None
    nats_nkey: Annotated[Path | None, _file("nkey", "A file with the seed of an NKey.")] = None
    nats_ca: Annotated[
        Path | None, _file("ca", "A PEM file with the certificate authorities to trust.")
    ] = None
    nats_cert: Annotated[
        Path | None, _file("certificate", "A PEM file with the client certificate.")
    ] = None
    nats_key: Annotated[
        Path | None, _file("key", "A PEM file with the key of that certificate.")
    ] = None
    stream: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The stream of commands. Workers and enqueue create it if it does not exist, "
            "with NAME_OUTCOMES, NAME_DEAD and NAME_DEAD_COMMANDS beside it.",
            rich_help_panel=_PANEL,
        ),
    ] = _DEFAULTS.stream
    subject: Annotated[
        str,
        typer.Option(help="The subject of commands.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.commands
    durable: Annotated[
        str,
        typer.Option(help="The durable consumer that all workers share.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.consumer
    events: Annotated[
        str,
        typer.Option(help="The subject of platform events.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.events
    outcomes: Annotated[
        str,
        typer.Option(help="The subject of outcomes.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.outcomes
    dead: Annotated[
        str,
        typer.Option(help="The subject of dead letters.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.dead

    @property
    def names(self) -> Subjects:
        """The names of streams, subjects and the consumer."""
        return Subjects(
            stream=self.stream,
            commands=self.subject,
            consumer=self.durable,
            events=self.events,
            outcomes=self.outcomes,
            dead=self.dead,
        )

    @property
    def is_given(self) -> bool:
        """Whether an option or a variable says how to reach a NATS server."""
        options = (
            self.nats_url,
            self.nats_creds,
            self.nats_nkey,
            self.nats_ca,
            self.nats_cert,
            self.nats_key,
        )
        return bool(nats_variables()) or any(each is not None for each in options)

    def options(self) -> "NatsOptions":
        """Return how to reach the server.

        Raises:
            CliError: its address is missing, or an option is wrong.

        """
        with worker_extra():
            from restream_async.worker.nats_connection import NatsOptions  # noqa: PLC0415 - the extra
        try:
            return NatsOptions.resolve(
                self.nats_url,
                credentials=self.nats_creds,
                nkey=self.nats_nkey,
                ca=self.nats_ca,
                certificate=self.nats_cert,
                key=self.nats_key,
            )
        except ConfigurationError as error:
            message = f"{error} (or --nats-url)" if URL_VARIABLE in str(error) else str(error)
        raise CliError(message)


def worker_extra() -> AbstractContextManager[None]:
    """Import modules of the extra `worker` in this block; slow, so only commands that need it do.

    Raises:
        CliError: the extra is not installed.

    """
    return importing("worker", _EXTRA)


def nats_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options above to a command, as its parameter `nats`."""
    return add_options(NatsCliOptions, "nats", command)
