"""An error that was handled is gone at once: it holds no frame that holds it."""

from __future__ import annotations

import asyncio
import gc
import socket
import traceback
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest

import restream_async
from restream_async import ConfigurationError, RestreamClient, RestreamError, TransportError
from tests.helpers.client_calls import CALLS, collect
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.polling import until
from tests.helpers.raw_server import RawServer, then_close
from tests.helpers.samples import BACKEND_FETCH_FAILED, answer, as_asked, listed, many, new_restream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Mapping

    from restream_async import Outcome
    from tests.helpers.raw_server import Step

OF_AIOHTTP: Final = (aiohttp.ClientError, OSError, asyncio.CancelledError)
FAILURES: Final[Mapping[str, Step]] = {
    "a refusal": answer(b"", "400 Bad Request"),
    "a 503": BACKEND_FETCH_FAILED,
    "a lost connection": then_close(),
    "nonsense": answer(b"{}"),
}


@contextmanager
def no_collection() -> Generator[None]:
    """What is freed in this block is freed because nothing refers to it any more."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def is_freed(call: Awaitable[object]) -> bool:
    """Say whether the error of a call is gone as soon as it is handled."""
    seen: weakref.ref[RestreamError] | None = None
    with no_collection():
        try:
            await call
        except RestreamError as error:
            seen = weakref.ref(error)
        # asyncio of Python 3.13 keeps what ended a connection until its loop has turned once.
        await asyncio.sleep(0)
        assert seen is not None
        return seen() is None


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("attempts", [1, 3])
async def test_of_a_call(call: str, failure: str, attempts: int) -> None:
    step = FAILURES[failure]
    async with (
        RawServer(post=step, get=step, put=step, delete=step) as server,
        leak_checked_client(server, attempts=attempts) as client,
    ):
        assert await is_freed(CALLS[call](client))


async def test_of_aiohttp_where_no_connection_comes_about(
    full_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own frames would hold them, and the API key, until the garbage collector comes."""

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def left() -> list[str]:
        found = [each for each in gc.get_objects() if isinstance(each, OF_AIOHTTP)]
        return [repr(each) for each in found if not isinstance(each, RestreamError)]

    async def left_by(base_url: str) -> list[str]:
        async with leak_checked_client(
            RawServer(), base_url=base_url, timeout=0.1, attempts=2
        ) as client:
            with no_collection():
                with suppress(TransportError):
                    await client.create(new_restream())
                # The thread that resolves a name may let go of its error a moment later.
                with suppress(TimeoutError):
                    await until(lambda: not left(), 1)
                return left()

    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        assert await left_by(f"http://127.0.0.1:{unheard.getsockname()[1]}") == []
    assert await left_by(f"http://127.0.0.1:{full_port}") == []
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert await left_by("https://no.such.host.example") == []


@pytest.mark.parametrize("call", CALLS)
async def test_of_a_call_that_is_not_accepted(call: str) -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        await client.drain()
        assert await is_freed(CALLS[call](client))
        await client.close()
        assert await is_freed(CALLS[call](client))


async def test_of_a_run_that_stops_by_itself() -> None:
    outcomes: list[Outcome] = []
    async with (
        RawServer(post=answer(b"", "401 Unauthorized")) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        assert await is_freed(client.create_all(many(9)))
        assert await is_freed(collect(client, many(9), outcomes))


async def test_of_an_undo_that_is_not_accepted(tmp_path: Path) -> None:
    async with RawServer(post=as_asked) as server, leak_checked_client(server) as client:
        await client.create_all(many(1), journal=tmp_path / "run.db")
        async with client.undo(tmp_path / "run.db") as undo:
            await client.drain()
            assert await is_freed(undo.carry_out(print))


async def test_of_an_undo_that_breaks_off(tmp_path: Path) -> None:
    """A task group holds the first error by itself; but no frame of ours does."""

    def heed(_: object) -> None:
        raise ConfigurationError("anything")

    async with (
        RawServer(post=as_asked, delete=answer(b"", "400 Bad Request")) as server,
        leak_checked_client(server) as client,
    ):
        await client.create_all(many(1), journal=tmp_path / "run.db")
        async with client.undo(tmp_path / "run.db") as undo:
            with pytest.raises(ConfigurationError) as caught:
                await undo.carry_out(heed)

    for frame, _ in traceback.walk_tb(caught.tb):
        if Path(frame.f_code.co_filename).is_relative_to(Path(restream_async.__file__).parent):
            assert not {"first", "tasks"} & set(frame.f_locals)


async def test_of_settings() -> None:
    async def make() -> None:
        RestreamClient(base_url="example.com", project_id="p", api_key="k")

    assert await is_freed(make())


async def test_of_a_closing_that_is_cancelled() -> None:
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        await client.list("v1")
        with no_collection():
            task = asyncio.create_task(client.close())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                del task
            # Until then the event loop holds the task that it has woken this one for.
            await asyncio.sleep(0)
            assert not [kept for kept in gc.get_objects() if type(kept) is asyncio.CancelledError]


async def test_of_a_creation_in_doubt_that_nobody_can_look_up() -> None:
    step = BACKEND_FETCH_FAILED
    async with (
        RawServer(post=step, get=step) as server,
        leak_checked_client(server, attempts=2, in_doubt="raise") as client,
    ):
        assert await is_freed(client.create(new_restream()))
