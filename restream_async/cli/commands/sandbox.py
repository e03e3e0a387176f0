"""`sandbox`: the service in miniature, in the foreground, for trying things out."""

import asyncio
import contextlib
import shlex
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from restream_async.cli.errors import CliError, why
from restream_async.cli.event_loop import run_async
from restream_async.cli.options.shared import duration
from restream_async.cli.output.console import console_on, result_console, say
from restream_async.cli.output.run_summary import headed
from restream_async.cli.signals import Interrupts
from restream_async.sandbox import Faults, Sandbox


def sandbox(  # noqa: PLR0913 - one for each option
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 8080,
    faults: Annotated[
        Literal["none", "demo"],
        typer.Option(help="What goes wrong: nothing, or one creation in eight as in the demo."),
    ] = "none",
    seed: Annotated[int, typer.Option(help="Chooses which requests fail, and how.")] = 0,
    latency: Annotated[
        float, typer.Option(parser=duration, metavar="SECONDS", help="How long each answer takes.")
    ] = 0.0,
    capacity: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests served at once; further ones are turned away with 503.",
            show_default="no bound",
        ),
    ] = None,
    rate_limit: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Requests allowed a second; further ones are turned away with 429.",
            show_default="no bound",
        ),
    ] = None,
) -> None:
    """Run a sandbox of the service until Ctrl-C. It keeps nothing.

    Prints what another shell needs to work with it.
    """
    ready = Sandbox(
        host=host,
        port=port,
        faults=Faults.demo() if faults == "demo" else Faults(),
        seed=seed,
        latency=latency,
        capacity=capacity,
        rate_limit=rate_limit,
    )
    run_async(_serve(ready, console_on(sys.stderr), f"{host}:{port}"))


async def _serve(ready: Sandbox, console: Console, where: str) -> None:
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(ready)
        except OSError as error:
            # asyncio says the address once more before the reason.
            reason = why(error).rpartition(": ")[2]
            sentence = f"cannot listen on {where}: {reason}; name another --port, or 0 for any"
        else:
            say(console, _introduction(ready))
            with result_console() as results:
                # In one piece each, to be pasted.
                results.print(_exports(ready), soft_wrap=True)
            async with Interrupts(stop.set):
                await stop.wait()
            say(console, _summary(ready))
            return
    raise CliError(sentence)


def _introduction(ready: Sandbox) -> Text:
    return Text.assemble(
        ("The sandbox is open", "bold"),
        f" at {ready.base_url}; Ctrl-C closes it, and all is forgotten.\n"
        "To work with it, paste this into another shell:\n",
    )


def _exports(ready: Sandbox) -> str:
    # Its key opens nothing but itself, and is the same for everybody.
    values = {
        "RESTREAM_BASE_URL": ready.base_url,
        "RESTREAM_PROJECT_ID": ready.project_id,
        "RESTREAM_API_KEY": ready.api_key,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _summary(ready: Sandbox) -> Text:
    counts = ready.counts
    rows = [
        (counts.posts, "creations asked for"),
        (counts.lists + counts.toggles + counts.deletes, "lists, toggles and deletions asked for"),
        (counts.faults.total, "failed on purpose"),
        (counts.shed, "refused, as the capacity was used up"),
        (counts.limited, "refused by the rate limit"),
        (counts.stored, "restreams stored in the end"),
        (sum(len(group) - 1 for group in ready.duplicates()), "of them stored more than once"),
    ]
    return headed(Text("\nThe sandbox is closed", "bold"), rows)
