"""Options for the NATS server, for the commands that work with it."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from restream_async.cli.errors import CliError
from restream_async.cli.hints import install
from restream_async.cli.options.shared import gathered
from restream_async.errors import ConfigurationError
from restream_async.worker.subjects import FILE_VARIABLES, URL_VARIABLE, Subjects

if TYPE_CHECKING:
    from restream_async.worker.nats_options import NatsOptions

_EXTRA: Final = frozenset({"faststream", "nats", "nkeys"})
_PANEL: Final = "NATS"
_DEFAULTS: Final = Subjects()


def _file(name: str, text: str) -> Any:  # noqa: ANN401 - what typer makes of it
    help_ = f"{text} Else {FILE_VARIABLES[name]}."
    return typer.Option(metavar="PATH", help=help_, rich_help_panel=_PANEL)


@attrs.frozen(kw_only=True)
class NatsChoice:
    """Where the NATS server is, and what things are called there, as far as options say."""

    nats_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Such as nats://127.0.0.1:4222, or tls://… where nothing may travel unencrypted; "
            f"several are separated by commas. Else {URL_VARIABLE}, where a URL with a password "
            "belongs.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    nats_creds: Annotated[Path | None, _file("credentials", "A .creds file.")] = None
    nats_nkey: Annotated[Path | None, _file("nkey", "A file with the seed of an NKey.")] = None
    nats_ca: Annotated[
        Path | None, _file("ca", "The authorities that may vouch for the server, PEM.")
    ] = None
    nats_cert: Annotated[Path | None, _file("certificate", "A certificate of our own, PEM.")] = None
    nats_key: Annotated[Path | None, _file("key", "Its key, PEM.")] = None
    stream: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The stream of commands; made if it is absent, with NAME_OUTCOMES and "
            "NAME_DEAD beside it.",
            rich_help_panel=_PANEL,
        ),
    ] = _DEFAULTS.stream
    subject: Annotated[
        str,
        typer.Option(help="The subject of commands.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.subject
    durable: Annotated[
        str,
        typer.Option(help="The consumer that all workers share.", rich_help_panel=_PANEL),
    ] = _DEFAULTS.durable
    events: Annotated[
        str,
        typer.Option(help="The subject of events of the platform.", rich_help_panel=_PANEL),
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
        """What things are called."""
        return Subjects(
            stream=self.stream,
            subject=self.subject,
            durable=self.durable,
            events=self.events,
            outcomes=self.outcomes,
            dead=self.dead,
        )

    def options(self) -> "NatsOptions":
        """Return how to reach the server.

        Raises:
            CliError: nobody says where it is.

        """
        with worker_extra():
            from restream_async.worker.nats_options import NatsOptions  # noqa: PLC0415 - the extra
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
            sentence = f"{error} (or --nats-url)" if URL_VARIABLE in str(error) else str(error)
        raise CliError(sentence)


@contextlib.contextmanager
def worker_extra() -> Generator[None]:
    """Import what the extra `worker` brings; it takes a while, so only who needs it does.

    Raises:
        CliError: it is not installed.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        missing = error.name
    else:
        return
    raise CliError(f"this needs {missing}, which is not installed: {install('cli', 'worker')}")


def on_nats(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above, as its parameter `nats`."""
    return gathered(NatsChoice, "nats", command)
