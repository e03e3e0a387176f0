"""What other processes do with a journal. Each says on `say` how far it has come."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from restream_async import Created, NewRestream, RetryPolicy
from restream_async._journal.journal import Journal
from restream_async._util.clock import Clock
from restream_async.errors import JournalError
from tests.helpers.clients import client_of
from tests.helpers.in_memory_service import IDENTITY, new

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

NOBODY: Final = 65534


@attrs.frozen(kw_only=True)
class Address:
    """Where a sandbox is, and what opens it."""

    base_url: str
    project_id: str
    api_key: str


def opens(say: "Connection[Any, Any]", path: Path) -> None:
    """Open it and close it again."""
    asyncio.run(_open(say, path))


def keeps(say: "Connection[Any, Any]", path: Path) -> None:
    """Open it, and keep it open until it is killed."""
    asyncio.run(_open(say, path, keep=True))


def strangers(say: "Connection[Any, Any]", paths: Sequence[Path]) -> None:
    """Open several, one after the other, as somebody who may not do everything."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for path in paths:
        asyncio.run(_open(say, path))


def kills_itself(say: "Connection[Any, Any]", path: Path) -> None:
    """Begin some creations, and die at the moment when the last beginning has returned."""
    asyncio.run(_die(say, path))


def creates(say: "Connection[Any, Any]", address: Address, path: Path, number: int) -> None:
    """Run or resume a bulk run; say how each item ended, and at last the counts."""
    asyncio.run(_create(say, address, path, number))


def wanted(number: int) -> Iterator[NewRestream]:
    """Yield so many restreams, ten to a video, each tenth of them once more a little later."""
    for index in range(number):
        yield new(str(index), video=f"v{index // 10}")
        if index % 10 == 9:
            yield new(str(index - 5), video=f"v{index // 10}")


async def _create(say: "Connection[Any, Any]", address: Address, path: Path, number: int) -> None:
    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds / 100)

    client = client_of(
        address, retry=RetryPolicy(attempts=6, base=0.1, cap=0.2), clock=Clock(sleep=nap)
    )
    async with client, client.create_many(wanted(number), journal=path) as run:
        async for outcome in run:
            say.send((outcome.index, outcome.restream.id if isinstance(outcome, Created) else None))
        say.send(run.counts)


async def _open(say: "Connection[Any, Any]", path: Path, *, keep: bool = False) -> None:
    try:
        async with Journal(path, IDENTITY):
            say.send("opened")
            if keep:
                await asyncio.Event().wait()
    except JournalError as error:
        say.send(str(error))


async def _die(say: "Connection[Any, Any]", path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        for item in range(3):
            await journal.begin(journal.fingerprint(str(item)))
            say.send("begun")
        os.kill(os.getpid(), signal.SIGKILL)
