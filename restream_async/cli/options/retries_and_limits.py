"""Private: the options for retries and limits, and the client that they configure."""

from collections.abc import Callable
from typing import Annotated

import attrs
import typer

from restream_async import RestreamClient, RetryPolicy
from restream_async._telemetry import Telemetry
from restream_async.cli.options.connection import ConnectionOptions, client_for
from restream_async.cli.options.shared import RETRIES, OutageTimeout, add_options, seconds
from restream_async.settings import InDoubt


@attrs.frozen(kw_only=True)
class RetryOptions:
    """How many requests are in flight, and how long and how often each is tried."""

    max_in_flight: Annotated[
        int,
        typer.Option(min=1, help="The most requests in flight at once.", rich_help_panel=RETRIES),
    ] = 64
    timeout: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="Timeout of one attempt.",
            rich_help_panel=RETRIES,
        ),
    ] = 30.0
    attempts: Annotated[
        int,
        typer.Option(min=1, help="The most attempts for one restream.", rich_help_panel=RETRIES),
    ] = 5
    deadline: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="Time for one restream, including all attempts and waits.",
            rich_help_panel=RETRIES,
        ),
    ] = 120.0
    patience: OutageTimeout = 300.0

    def client(
        self,
        connection: ConnectionOptions,
        *,
        in_doubt: InDoubt = "confirm",
        telemetry: Telemetry | None = None,
    ) -> RestreamClient:
        """Return a client with these options; send nothing.

        Raises:
            CliError: a setting is missing, or a file cannot be used.
            ConfigurationError: a setting is malformed.

        """
        return client_for(
            connection,
            timeout=self.timeout,
            retry=RetryPolicy(attempts=self.attempts, deadline=self.deadline),
            in_doubt=in_doubt,
            max_in_flight=self.max_in_flight,
            patience=self.patience,
            telemetry=telemetry,
        )


def retry_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options above to a command, as its parameter `retries`."""
    return add_options(RetryOptions, "retries", command)
