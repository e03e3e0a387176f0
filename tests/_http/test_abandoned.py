"""A request that is given up is reset: closed in order, the kernel would go on delivering it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import uvloop

from restream_async import OutcomeUnknownError, RestreamClient
from restream_async._field_checks import LONGEST_TEXT
from tests.helpers.clients import client_of
from tests.helpers.samples import SELF_SIGNED, new_restream
from tests.helpers.silent_server import RESET, SilentServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_LOOPS: Final[dict[str, Callable[[Coroutine[None, None, None]], None]]] = {
    "asyncio": asyncio.run,
    "uvloop": uvloop.run,
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    if request.param == "http":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    return context


def _client(
    server: SilentServer, session: aiohttp.ClientSession | None = None, timeout: float = 0.2
) -> RestreamClient:
    return client_of(
        server,
        timeout=timeout,
        attempts=1,
        session=session,
        ssl=ssl.create_default_context(cafile=str(SELF_SIGNED)),
    )


async def _time_out(server: SilentServer) -> None:
    async with _client(server) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.create(new_restream())
        await asyncio.to_thread(server.over)


async def _cancel(server: SilentServer) -> None:
    async with _client(server, timeout=30.0) as client:
        task = asyncio.create_task(client.create(new_restream()))
        await asyncio.to_thread(server.arrived)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.to_thread(server.over)


async def _close(server: SilentServer) -> None:
    client = _client(server, timeout=30.0)
    task = asyncio.create_task(client.create(new_restream()))
    await asyncio.to_thread(server.arrived)
    await client.close()
    await asyncio.to_thread(server.over)
    await asyncio.wait({task})
    assert isinstance(task.exception(), OutcomeUnknownError)


async def _time_out_in_a_session_of_ones_own(server: SilentServer) -> None:
    async with aiohttp.ClientSession() as session, _client(server, session) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.create(new_restream())
        await asyncio.to_thread(server.over)


@pytest.mark.parametrize("loop", _LOOPS)
@pytest.mark.parametrize(
    "give_up", [_time_out, _cancel, _close, _time_out_in_a_session_of_ones_own]
)
async def test_what_is_given_up_is_reset(
    give_up: Callable[[SilentServer], Coroutine[None, None, None]],
    loop: str,
    tls: ssl.SSLContext | None,
) -> None:
    with SilentServer(tls=tls) as server:
        await asyncio.to_thread(lambda: _LOOPS[loop](give_up(server)))

    assert server.received.startswith(b"POST ")
    assert server.end == RESET


@pytest.mark.parametrize("loop", _LOOPS)
def test_what_kill_9_interrupts_is_reset(loop: str, tls: ssl.SSLContext | None) -> None:
    with SilentServer(tls=tls) as server:
        command = ["-m", "tests.helpers.create_process", server.base_url, loop, str(SELF_SIGNED)]
        with subprocess.Popen([sys.executable, *command]) as process:  # noqa: S603 - our own program
            server.arrived()
            process.kill()
        server.over()

    assert server.end == RESET


async def test_a_body_that_is_half_written_is_not_written_on(tls: ssl.SSLContext | None) -> None:
    """Closing a connection of asyncio waits until all is written that somebody wanted to write."""
    async with _narrow_session() as session:
        with SilentServer(tls=tls, reads_at_once=False) as server:
            async with _client(server, session) as client:
                with pytest.raises(OutcomeUnknownError):
                    await client.create(new_restream(title="\U0001f4fa" * LONGEST_TEXT))
            server.read()
            await asyncio.to_thread(server.over)

    assert len(server.received) < 150_000
    assert server.end == RESET


def _narrow_session() -> aiohttp.ClientSession:
    def narrow(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, _ = address
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return sock

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=narrow))
