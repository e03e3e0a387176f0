"""Private: `worker` runs a worker process."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async._telemetry import Telemetry
from restream_async.cli.errors import describe
from restream_async.cli.event_loop import run_async
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.nats import NatsCliOptions, nats_options, worker_extra
from restream_async.cli.options.shared import LogFormatOption, seconds, seconds_or_zero
from restream_async.cli.output.console import console_on, say
from restream_async.cli.output.log_format import start_log
from restream_async.destinations import read_destinations
from restream_async.handling.message_handler import SHUTDOWN_TIMEOUT
from restream_async.worker.event_rules import DEFAULT_RULES, read_rules
from restream_async.worker.health_address import HealthAddress
from restream_async.worker.settings import WorkerSettings

_PANEL: Final = "Worker"


def _health_address(text: str) -> HealthAddress:
    try:
        return HealthAddress.parse(text)
    except ConfigurationError as error:
        message = str(error)
    raise typer.BadParameter(message)


@connection_options
@nats_options
def worker(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    nats: NatsCliOptions,
    places: Annotated[
        int,
        typer.Option(
            min=1,
            help="The most messages processed at once in this process.",
            rich_help_panel=_PANEL,
        ),
    ] = 16,
    cap: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The most messages processed at once on all machines, and so the most requests. "
            "This sets the consumer, which all workers share.",
            show_default="the setting of the consumer, else 64",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    ack_wait: Annotated[
        float | None,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="Time until the messages of a worker that died are delivered again.",
            show_default="the setting of the consumer, else 30",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            parser=seconds_or_zero,
            metavar="SECONDS",
            help="Time to finish messages at the end; the others go back to the stream.",
            rich_help_panel=_PANEL,
        ),
    ] = SHUTDOWN_TIMEOUT,
    destinations: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A TOML or JSON file with destinations, and perhaps with rules. Without rules, "
            "each live.video.created event on --events becomes a restream for each destination.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            min=1,
            max=5,
            help="Copies to keep of a stream that is created.",
            rich_help_panel=_PANEL,
        ),
    ] = 1,
    trust_stream: Annotated[
        bool,
        typer.Option(
            "--trust-stream",
            help="Create at the first delivery without checking whether the restream exists. Safe "
            "only if nothing else creates the same restreams and the NATS server is never "
            "restarted, which makes it forget what it has received.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    attempts: Annotated[
        int,
        typer.Option(
            min=1,
            help="The most attempts for one restream at each delivery.",
            rich_help_panel=_PANEL,
        ),
    ] = 5,
    deadline: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="Time for one restream at each delivery, including all attempts and waits.",
            rich_help_panel=_PANEL,
        ),
    ] = 120.0,
    health: Annotated[
        HealthAddress | None,
        typer.Option(
            parser=_health_address,
            metavar="HOST:PORT",
            help="Serve /livez, /readyz and /metrics (for Prometheus) by HTTP. PORT alone is for "
            "this machine only; 0.0.0.0:PORT is for all.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    log_format: LogFormatOption = None,
) -> None:
    """Create the restreams that are on the stream, until SIGTERM or Ctrl-C.

    A restream is created only if it does not exist yet. Any number of workers on any number of
    machines share the work, and if one dies, the others redo its messages. During an outage of the
    service, workers keep their messages. If a stream or the consumer is deleted, workers exit with
    code 1.
    """
    start_log(log_format, default="text")

    def client(telemetry: Telemetry | None = None) -> RestreamClient:
        return client_for(
            connection,
            retry=RetryPolicy(attempts=attempts, deadline=deadline),
            max_in_flight=places,
            telemetry=telemetry,
        )

    # Wrong settings are reported before anything is connected.
    client()
    options = nats.options()
    wanted = () if destinations is None else read_destinations(destinations)
    rules = DEFAULT_RULES if destinations is None else read_rules(destinations)
    with worker_extra():
        from restream_async.worker.run import run_worker  # noqa: PLC0415 - needs the extra
    say(console_on(sys.stderr), f"Processing {nats.stream} at {options.shown}; stop with Ctrl-C.")
    # Until the worker handles signals itself.
    _handle_signals(_exit)
    settings = WorkerSettings(
        subjects=nats.names,
        concurrency=places,
        global_concurrency=cap,
        ack_wait=ack_wait,
        replicas=replicas,
        shutdown_timeout=grace,
        destinations=wanted,
        rules=rules,
        trust_stream=trust_stream,
        health=health,
        error_text=describe,
    )
    run_async(run_worker(options, settings, client))
    # The work is done: a further signal must not change the exit code.
    _handle_signals(signal.SIG_IGN)


def _handle_signals(handler: Callable[[int, FrameType | None], NoReturn] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    """Exit with 0, because a signal is a normal end for a worker.

    Raises:
        SystemExit: always.

    """
    del number, frame
    raise SystemExit(0)
