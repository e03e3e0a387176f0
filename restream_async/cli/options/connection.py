"""From options to a client, and to the words that the user of a command line knows."""

import os
import ssl
from pathlib import Path
from typing import Final

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async.cli.errors import CliError, told, why
from restream_async.cli.hints import command
from restream_async.cli.options.secrets import secret_in
from restream_async.cli.options.shared import ConnectionOptions
from restream_async.settings import InDoubt

_API_KEY: Final = "RESTREAM_API_KEY"


def client_for(  # noqa: PLR0913 - one keyword for each setting
    options: ConnectionOptions,
    *,
    timeout: float = 30.0,
    retry: RetryPolicy | None = None,
    in_doubt: InDoubt = "confirm",
    max_in_flight: int = 64,
    patience: float = 300.0,
) -> RestreamClient:
    """Return a client; nothing is sent yet.

    Raises:
        CliError: a setting is missing or malformed.

    """
    _refuse_if_missing(options)
    trusted = None if options.ca_file is None else _trusting(options.ca_file)
    path = options.api_key_file
    api_key = None if path is None else secret_in(path, "the API key")
    try:
        return RestreamClient(
            base_url=options.base_url,
            project_id=options.project_id,
            api_key=api_key,
            auth_scheme=options.auth_scheme,
            allow_http=options.allow_http,
            proxy=options.proxy,
            trust_env=True,
            ssl=trusted,
            timeout=timeout,
            retry=retry,
            in_doubt=in_doubt,
            max_in_flight=max_in_flight,
            patience=patience,
        )
    except ConfigurationError as error:
        sentence = told(error)
    raise CliError(sentence)


def _trusting(path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        problem = "it holds no certificate in PEM, or a damaged one"
    except OSError as error:
        problem = why(error)
    raise CliError(f"cannot read certificate authorities from {path}: {problem}")


def _refuse_if_missing(options: ConnectionOptions) -> None:
    """Name all that is missing at once, not one after the other."""
    ways = {
        "RESTREAM_BASE_URL (or --base-url)": options.base_url,
        "RESTREAM_PROJECT_ID (or --project-id)": options.project_id,
        f"{_API_KEY} (or --api-key-file)": options.api_key_file or os.environ.get(_API_KEY),
    }
    missing = [way for way, value in ways.items() if not value]
    if missing:
        raise CliError(
            f"the service is not configured: set {', '.join(missing)}; to try things out without "
            f"one, run `{command('sandbox')}` in another shell"
        )
