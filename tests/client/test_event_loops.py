"""A client belongs to one event loop, and says so to whoever calls from another one."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from restream_async import ClientClosedError, Failed, RestreamClient, RestreamError
from tests.helpers.client_calls import CALLS, failure_of
from tests.helpers.clients import client_of
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import API_KEY, as_asked, listed, many, new_restream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

SAID: Final = "the client belongs to another event loop: "
REMEDY: Final = (
    "; make one client for each event loop: each asyncio.run and each thread has its own"
)


def client_at(
    base_url: str = "https://api.example.com", session: aiohttp.ClientSession | None = None
) -> RestreamClient:
    return client_of(base_url, session=session, attempts=1)


async def _bulk(client: RestreamClient) -> None:
    async with client.create_many(many(2)):
        pass


async def _undo(client: RestreamClient, journal: Path) -> None:
    async with client.undo(journal) as undo:
        await undo.carry_out(print)


async def _enter(client: RestreamClient) -> None:
    async with client:
        pass


WAYS_IN: Final[Mapping[str, Callable[[RestreamClient], Awaitable[object]]]] = {
    **CALLS,
    "ensure": lambda client: client.ensure(new_restream()),
    "create_many": _bulk,
    "create_all": lambda client: client.create_all(many(2)),
    "enter": _enter,
    "drain": RestreamClient.drain,
    "close": RestreamClient.close,
}


@pytest.fixture
def home() -> Iterator[asyncio.Runner]:
    """The event loop of a client, and not of the test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def abroad() -> Iterator[asyncio.Runner]:
    """Another event loop."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_any_call_from_another_loop_says_so(
    way_in: str, home: asyncio.Runner, abroad: asyncio.Runner
) -> None:
    async def use() -> RestreamClient:
        async with RawServer(get=listed()) as server:
            client = client_at(server.base_url)
            await client.list("v1")
            return client

    client = home.run(use())
    error = abroad.run(failure_of(WAYS_IN[way_in](client), ClientClosedError))
    home.run(client.close())

    assert str(error).startswith(SAID)
    assert str(error).endswith(REMEDY)
    assert isinstance(error, RestreamError)
    assert isinstance(error, RuntimeError)
    assert (error.sent, error.attempts) == (False, 0)


def test_an_undo_from_another_loop_says_so(
    home: asyncio.Runner, abroad: asyncio.Runner, tmp_path: Path
) -> None:
    client = client_at()
    home.run(_enter(client))

    assert SAID in str(abroad.run(failure_of(_undo(client, tmp_path / "j.db"), ClientClosedError)))


def test_an_outcome_from_another_loop_says_so_and_is_not_raised(
    home: asyncio.Runner, abroad: asyncio.Runner
) -> None:
    client = client_at()
    home.run(_enter(client))
    outcome = abroad.run(client.outcome(new_restream()))

    assert isinstance(outcome, Failed)
    assert str(outcome.error).startswith(SAID)


def test_one_client_in_two_runs_says_what_is_wrong() -> None:
    """As a module-level client in a script or a task queue has it."""

    async def task(client: RestreamClient) -> None:
        async with client:
            await client.create(new_restream())

    async def first() -> RestreamClient:
        async with RawServer(post=as_asked) as server:
            client = client_at(server.base_url)
            await task(client)
            return client

    client = asyncio.run(first())
    with pytest.raises(ClientClosedError, match="belongs to another event loop: enter the client"):
        asyncio.run(task(client))


def test_with_a_session_it_belongs_to_the_loop_of_that(
    home: asyncio.Runner, abroad: asyncio.Runner
) -> None:
    async def use() -> tuple[aiohttp.ClientSession, RestreamClient]:
        session = aiohttp.ClientSession()
        return session, client_at(session=session)

    session, client = home.run(use())
    error = abroad.run(failure_of(client.create(new_restream()), ClientClosedError))
    home.run(session.close())

    assert str(error).startswith(SAID)


def test_one_of_two_first_threads_gets_the_client_and_the_other_an_error(
    home: asyncio.Runner,
) -> None:
    """No request is put together by both: each that leaves has its route and its key."""
    rounds = 30
    switches = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    server = RawServer(post=as_asked)

    def use(client: RestreamClient, start: Barrier) -> object:
        async def create() -> object:
            try:
                return await client.create(new_restream())
            except ClientClosedError as error:
                return str(error)

        async def first() -> object:
            start.wait(5)
            done = await create()
            # The first requests of both threads are over before the session is closed.
            start.wait(5)
            if not isinstance(done, str):
                await client.close()
            return done

        return asyncio.run(first())

    async def race() -> list[Any]:
        ends: list[Any] = []
        loop = asyncio.get_running_loop()
        async with server:
            with ThreadPoolExecutor(2) as threads:
                for _ in range(rounds):
                    client, start = client_at(server.base_url), Barrier(2)
                    both = [loop.run_in_executor(threads, use, client, start) for _ in range(2)]
                    ends.append(await asyncio.gather(*both))
        return ends

    try:
        ends = home.run(race())
    finally:
        sys.setswitchinterval(switches)

    for both in ends:
        [told] = [end for end in both if isinstance(end, str)]
        assert told.startswith(SAID)
    assert len(server.requests) == rounds
    for seen in server.requests:
        assert (seen.path, seen.headers["authorization"]) == ("/api/v1/p1/restreams", API_KEY)
