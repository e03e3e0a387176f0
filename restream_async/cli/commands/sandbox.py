"""Private: `sandbox` runs a small copy of the service in the foreground, to try commands with."""

import asyncio
import contextlib
import shlex
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.event_loop import run_async
from restream_async.cli.options.shared import seconds_or_zero
from restream_async.cli.output.console import console_on, result_console, say
from restream_async.cli.output.run_summary import headed
from restream_async.cli.signals import StopSignals
from restream_async.sandbox import Faults, Sandbox


def sandbox(  # noqa: PLR0913 - one for each option
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 8080,
    faults: Annotated[
        Literal["none", "demo"],
        typer.Option(help="What fails: nothing, or one creation in eight as in the demo."),
    ] = "none",
    seed: Annotated[int, typer.Option(help="Decides which requests fail, and how.")] = 0,
    latency: Annotated[
        float,
        typer.Option(parser=seconds_or_zero, metavar="SECONDS", help="How long each answer takes."),
    ] = 0.0,
    capacity: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests served at once; further ones are refused with 503.",
            show_default="no limit",
        ),
    ] = None,
    rate_limit: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Requests allowed per second; further ones are refused with 429.",
            show_default="no limit",
        ),
    ] = None,
) -> None:
    """Run a sandbox of the service until Ctrl-C. Its data are in memory only.

    Prints the variables to set in another shell, which then uses the sandbox.
    """
    service = Sandbox(
        host=host,
        port=port,
        faults=Faults.demo() if faults == "demo" else Faults(),
        seed=seed,
        latency=latency,
        capacity=capacity,
        rate_limit=rate_limit,
    )
    run_async(_serve(service, console_on(sys.stderr), f"{host}:{port}"))


async def _serve(service: Sandbox, console: Console, address: str) -> None:
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(service)
        except OSError as error:
            # asyncio repeats the address before the reason.
            reason = system_reason(error).rpartition(": ")[2]
            message = (
                f"cannot listen on {address}: {reason}; pass another --port, or --port 0 for any "
                "free one"
            )
        else:
            say(console, _introduction(service))
            with result_console() as results:
                # Not wrapped, so that they can be pasted.
                results.print(_exports(service), soft_wrap=True)
            async with StopSignals(stop.set):
                await stop.wait()
            say(console, _summary(service))
            return
    raise CliError(message)


def _introduction(service: Sandbox) -> Text:
    return Text.assemble(
        ("The sandbox is open", "bold"),
        f" at {service.base_url}; Ctrl-C closes it and deletes its data.\n"
        "To use it, paste this into another shell:\n",
    )


def _exports(service: Sandbox) -> str:
    # The key may be shown: every sandbox has the same one.
    values = {
        "RESTREAM_BASE_URL": service.base_url,
        "RESTREAM_PROJECT_ID": service.project_id,
        "RESTREAM_API_KEY": service.api_key,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _summary(service: Sandbox) -> Text:
    counts = service.counts
    rows = [
        (counts.posts, "creations requested"),
        (counts.lists + counts.toggles + counts.deletes, "lists, toggles and deletions requested"),
        (counts.faults.total, "failed on purpose"),
        (counts.shed, "refused because of the capacity"),
        (counts.limited, "refused because of the rate limit"),
        (counts.stored, "restreams stored at the end"),
        (sum(len(group) - 1 for group in service.duplicates()), "of them stored more than once"),
    ]
    return headed(Text("\nThe sandbox is closed", "bold"), rows)
