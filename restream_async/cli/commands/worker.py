"""`worker`: one worker process. `asyncapi`: what it takes and tells, as a document."""

import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async.cli.errors import CliError, told
from restream_async.cli.event_loop import run_async
from restream_async.cli.options.connection import client_for
from restream_async.cli.options.nats import NatsChoice, on_nats, worker_extra
from restream_async.cli.options.shared import ConnectionOptions, connected, duration, seconds
from restream_async.cli.output.console import console_on, result_console, say
from restream_async.worker.handling import GRACE
from restream_async.worker.webhooks import Destination, read_destinations

_WORKING: Final = "How to work"


@connected
@on_nats
def worker(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    nats: NatsChoice,
    places: Annotated[
        int,
        typer.Option(min=1, help="Messages under way in this process.", rich_help_panel=_WORKING),
    ] = 16,
    cap: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Messages under way over all machines, which is also the most requests at once. "
            "It is a setting of the consumer, and changed there for all workers.",
            show_default="as the consumer has it, else 64",
            rich_help_panel=_WORKING,
        ),
    ] = None,
    ack_wait: Annotated[
        float | None,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="After which a message of a worker that died is delivered again.",
            show_default="as the consumer has it, else 30",
            rich_help_panel=_WORKING,
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            parser=duration,
            metavar="SECONDS",
            help="At the end, for what is under way; the rest is given back.",
            rich_help_panel=_WORKING,
        ),
    ] = GRACE,
    destinations: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A TOML or JSON file; every live.video.created event on --events becomes a "
            "restream for each of its destinations.",
            rich_help_panel=_WORKING,
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            min=1, max=5, help="Copies of a stream that has to be made.", rich_help_panel=_WORKING
        ),
    ] = 1,
    trust_stream: Annotated[
        bool,
        typer.Option(
            "--trust-stream",
            help="Create at a first delivery without checking whether the restream exists. Only "
            "where nothing else creates the same restreams and the NATS server is never restarted, "
            "which makes it forget what it has seen.",
            rich_help_panel=_WORKING,
        ),
    ] = False,
    attempts: Annotated[
        int,
        typer.Option(min=1, help="For one restream at each delivery.", rich_help_panel=_WORKING),
    ] = 5,
    deadline: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="For one restream at each delivery, with all attempts and waits.",
            rich_help_panel=_WORKING,
        ),
    ] = 120.0,
) -> None:
    """Create the restreams that are on the stream, until SIGTERM or Ctrl-C.

    Each is created only if it does not exist yet. Run it as often as you like, on as many machines
    as you like: they share the work, and one that dies is taken over from. While the service is
    gone they hold what they have. If a stream or the consumer is deleted under them they end, with
    exit code 1.
    """

    def client() -> RestreamClient:
        return client_for(
            connection,
            retry=RetryPolicy(attempts=attempts, deadline=deadline),
            max_in_flight=places,
        )

    # What is wrong with the settings is said before anything is connected.
    client()
    options = nats.options()
    wanted = () if destinations is None else _read(destinations)
    with worker_extra():
        from restream_async.worker.main import run_worker  # noqa: PLC0415 - needs the extra
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    # At its end FastStream tells of each place, to no use.
    logging.getLogger("restream_async.worker.broker").setLevel(logging.WARNING)
    say(console_on(sys.stderr), f"Working off {nats.stream} at {options.shown}; Ctrl-C ends it.")
    # While it connects, as while it was imported; once it works it ends by itself.
    _at_signals(_leave)
    try:
        run_async(
            run_worker(
                options,
                names=nats.names,
                client=client,
                places=places,
                in_flight=cap,
                ack_wait=ack_wait,
                replicas=replicas,
                grace=grace,
                destinations=wanted,
                trust_stream=trust_stream,
                told=told,
            )
        )
    except ConfigurationError as error:
        sentence = str(error)
    else:
        # Told once more, it ends as well as it has.
        _at_signals(signal.SIG_IGN)
        return
    raise CliError(sentence)


def _at_signals(do: Callable[[int, FrameType | None], NoReturn] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, do)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End before anything was begun: with 0, as later too.

    Raises:
        SystemExit: always.

    """
    del number, frame
    raise SystemExit(0)


def _read(path: Path) -> tuple[Destination, ...]:
    try:
        return read_destinations(path)
    except ConfigurationError as error:
        sentence = str(error)
    raise CliError(sentence)


@on_nats
def asyncapi(*, nats: NatsChoice) -> None:
    """Print the AsyncAPI document of the subjects: commands, outcomes, dead letters."""
    with worker_extra():
        from restream_async.worker.faststream_app import document  # noqa: PLC0415 - needs the extra
    with result_console() as console:
        console.print(document(nats.names), soft_wrap=True)
