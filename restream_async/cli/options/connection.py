"""Private: the options for connecting to the service, and the client that they configure."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Concatenate, Final, ParamSpec, TypedDict, Unpack

import attrs
import typer

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async._http.request_options import RequestOptions
from restream_async._telemetry import Telemetry
from restream_async.cli.errors import CliError, describe, system_reason
from restream_async.cli.hints import command
from restream_async.cli.options.secrets import read_secret
from restream_async.cli.options.shared import add_options
from restream_async.settings import InDoubt, Settings

_P = ParamSpec("_P")

_PANEL: Final = "Connection"
API_KEY_VARIABLE: Final = "RESTREAM_API_KEY"


@attrs.frozen(kw_only=True)
class ConnectionOptions:
    """How to reach the service, as far as options say; None: not given."""

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
            "No option takes the key itself: other processes can read arguments.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    auth_scheme: Annotated[
        str | None,
        typer.Option(
            envvar="RESTREAM_AUTH_SCHEME",
            metavar="WORD",
            help="The word before the key in the Authorization header, such as Bearer.",
            show_default="the key alone",
            rich_help_panel=_PANEL,
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Trust only the certificate authorities in this PEM file.",
            show_default="those of the system, or of the variable SSL_CERT_FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The URL of a proxy, such as http://proxy.example.com:3128. Put a URL with a "
            "password into HTTPS_PROXY instead: other processes can read arguments.",
            show_default="what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say",
            rich_help_panel=_PANEL,
        ),
    ] = None
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http",
            help="Allow plain http:// to other machines. It sends the API key unencrypted.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    @property
    def is_on_command_line(self) -> bool:
        """Whether any option was given, not only variables of the environment."""
        return any(
            value not in {None, False} and str(value) != os.environ.get(f"RESTREAM_{name.upper()}")
            for name, value in attrs.asdict(self).items()
        )


def connection_options(
    command: Callable[Concatenate[ConnectionOptions, _P], None],
) -> Callable[..., None]:
    """Add the connection options to a command, as its parameter `connection`."""
    return add_options(ConnectionOptions, "connection", command)


class ServiceArguments(TypedDict):
    """The arguments with which `RestreamClient` and `Settings` find the service."""

    base_url: str | None
    project_id: str | None
    api_key: str | None
    auth_scheme: str | None
    allow_http: bool
    proxy: str | None
    trust_env: bool


def client_for(  # noqa: PLR0913 - one keyword for each setting
    options: ConnectionOptions,
    *,
    timeout: float = 30.0,
    retry: RetryPolicy | None = None,
    in_doubt: InDoubt = "confirm",
    max_in_flight: int = 64,
    patience: float = 300.0,
    telemetry: Telemetry | None = None,
) -> RestreamClient:
    """Return a client; send nothing.

    Raises:
        CliError: a setting is missing, or a file cannot be used.
        ConfigurationError: a setting is malformed.

    """
    _refuse_if_missing(options)
    return RestreamClient(
        **_arguments(options),
        ssl=tls_for(options),
        timeout=timeout,
        retry=retry,
        in_doubt=in_doubt,
        max_in_flight=max_in_flight,
        patience=patience,
        telemetry=telemetry,
    )


def settings_for(options: ConnectionOptions) -> Settings:
    """Return the settings of the client that `client_for` would return.

    Raises:
        CliError: a setting is missing or malformed.

    """
    _refuse_if_missing(options)
    try:
        return resolve(**_arguments(options))
    except ConfigurationError as error:
        message = describe(error)
    # Outside the handler, so that the error has no context that might hold a secret.
    raise CliError(message)


def resolve(**settings: Unpack[ServiceArguments]) -> Settings:
    """Return the settings of a client, after all checks that the client makes.

    Raises:
        ConfigurationError: a setting is missing or malformed.

    """
    found = Settings.resolve(**settings)
    RequestOptions(found.base_url, found.authorization, session=None, tls=None, proxy=found.proxy)
    return found


def tls_for(options: ConnectionOptions) -> ssl.SSLContext | None:
    """Return the TLS context of `--ca-file`; None without it.

    Raises:
        CliError: the file cannot be used.

    """
    return None if options.ca_file is None else _tls_context(options.ca_file)


def api_key_of(options: ConnectionOptions) -> str | None:
    """Return the API key of `--api-key-file`; None without it, which means the variable.

    Raises:
        CliError: the file cannot be used.

    """
    path = options.api_key_file
    return None if path is None else read_secret(path, "the API key")


def _arguments(options: ConnectionOptions) -> ServiceArguments:
    return ServiceArguments(
        base_url=options.base_url,
        project_id=options.project_id,
        api_key=api_key_of(options),
        auth_scheme=options.auth_scheme,
        allow_http=options.allow_http,
        proxy=options.proxy,
        trust_env=True,
    )


def _tls_context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        problem = "the file holds no valid PEM certificate"
    except OSError as error:
        problem = system_reason(error)
    raise CliError(f"cannot read certificate authorities from {ca_file}: {problem}")


def _refuse_if_missing(options: ConnectionOptions) -> None:
    """Raise one error that names all missing settings."""
    settings = {
        "RESTREAM_BASE_URL (or --base-url)": options.base_url,
        "RESTREAM_PROJECT_ID (or --project-id)": options.project_id,
        f"{API_KEY_VARIABLE} (or --api-key-file)": options.api_key_file
        or os.environ.get(API_KEY_VARIABLE),
    }
    missing = [how for how, value in settings.items() if not value]
    if missing:
        raise CliError(
            f"the service is not configured: set {', '.join(missing)}; to try the commands without "
            f"a service, run `{command('sandbox')}` in another shell"
        )
