"""Servers that close kept-alive connections without saying so: nothing is written to a dead one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from restream_async import Created, RetryPolicy, TransportError
from restream_async._http import request_body
from restream_async._util.clock import Clock
from tests.helpers.client_calls import CALLS, failure_of, outcomes_of
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer, then_close
from tests.helpers.samples import (
    answer,
    as_asked,
    created_for,
    envelope,
    listed,
    many,
    new_restream,
)

if TYPE_CHECKING:
    from tests.helpers.raw_server import Peer, Seen

_TOGGLED: Final = answer(envelope({"id": 7, "status": True}))


class Dying:
    """A service that closes each connection after one answer, sooner or later, or never."""

    def __init__(self, delay: float | None) -> None:
        self._delay = delay
        self._stored: list[dict[str, object]] = []

    @property
    def copies(self) -> Counter[str]:
        """How many there are of each restream, by video."""
        return Counter(str(restream["videoId"]) for restream in self._stored)

    async def create(self, peer: Peer, seen: Seen) -> None:
        self._stored.append({**json.loads(seen.body), "id": len(self._stored)})
        await self._last(peer, created_for(seen, len(self._stored)))

    async def list(self, peer: Peer, seen: Seen) -> None:
        video = seen.path.split("/")[-2]
        await self._last(peer, listed(*(each for each in self._stored if each["videoId"] == video)))

    async def toggle(self, peer: Peer, _: Seen) -> None:
        await self._last(peer, _TOGGLED)

    async def _last(self, peer: Peer, data: bytes) -> None:
        await peer.write(data)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, peer.close)
            await peer.gone()
        elif self._delay is not None:
            peer.close()


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01])
async def test_in_bulk_all_are_created_once(delay: float) -> None:
    service = Dying(delay)
    short = RetryPolicy(base=0.01, cap=0.05)
    async with (
        RawServer(post=service.create, get=service.list) as server,
        # On a clock of no time nobody waits for the end of what looks like an outage.
        leak_checked_client(server, retry=short, clock=Clock()) as client,
    ):
        outcomes = await asyncio.wait_for(outcomes_of(client, many(500)), 20)

    assert len(outcomes) == 500
    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert set(service.copies.values()) == {1}


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01])
async def test_one_after_the_other_all_are_created_once(delay: float) -> None:
    service = Dying(delay)
    async with (
        RawServer(post=service.create, get=service.list) as server,
        leak_checked_client(server) as client,
    ):
        for new in many(50):
            await client.create(new)

    assert set(service.copies.values()) == {1}


async def test_nothing_is_written_to_a_dead_connection() -> None:
    """The event loop may not have seen yet that the server has closed; the kernel has."""
    lost = 0
    async with RawServer(put=Dying(0.0).toggle) as server, leak_checked_client(server) as client:
        for _ in range(50):
            try:
                await client.toggle(7)
            except TransportError:
                lost += 1

    assert lost <= 1


async def test_what_failed_is_sent_again_on_a_connection_that_nothing_has_used() -> None:
    async with (
        RawServer(post=[then_close(), as_asked] * 2, get=listed()) as server,
        leak_checked_client(server) as client,
    ):
        await client.create(new_restream("v1"))
        await client.create(new_restream("v2"))

    assert server.order == "POST GET POST POST GET POST"
    _, check, resent, _, _, resent_too = (seen.connection for seen in server.requests)
    assert resent != check
    assert resent_too not in {check, resent}


def _always(_: object) -> bool:
    return True


@pytest.mark.parametrize("call", ["create", "toggle", "delete"])
async def test_connections_that_are_all_dead_were_sent_nothing(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is certain that nothing has happened; and it is not tried for ever."""
    async with (
        RawServer(get=then_close()) as server,
        leak_checked_client(server, attempts=2) as client,
    ):
        await failure_of(client.list("v1"), TransportError)
        server.requests.clear()
        before = len(server.peers)
        monkeypatch.setattr(request_body, "_is_hung_up", _always)
        error = await failure_of(CALLS[call](client), TransportError)

    assert (error.sent, error.attempts) == (False, 2)
    assert server.requests == []
    # Each attempt has replaced three.
    assert len(server.peers) == before + 2 * 4


async def test_where_the_kernel_cannot_be_asked_the_loop_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on Windows."""
    monkeypatch.setattr(request_body, "_poll", None)
    service = Dying(0.0)
    async with (
        RawServer(post=service.create, get=service.list, put=then_close()) as server,
        leak_checked_client(server) as client,
    ):
        await failure_of(client.toggle(7), TransportError)
        for new in many(20):
            await client.create(new)

    assert set(service.copies.values()) == {1}


@pytest.mark.parametrize("closes", [True, False])
async def test_a_request_time_out_on_an_idle_connection_doubles_nothing(*, closes: bool) -> None:
    """As HAProxy sends it. What arrives on an idle connection is read as the next answer."""
    service = Dying(None)
    async with (
        RawServer(post=service.create, get=service.list) as server,
        leak_checked_client(server) as client,
    ):
        for turn, new in enumerate(many(20)):
            await client.create(new)
            for peer in server.peers:
                if not peer.writer.is_closing():
                    peer.writer.write(answer(b"", "408 Request Timeout"))
                    if closes:
                        peer.close()
            for _ in range(turn % 4):
                await asyncio.sleep(0)

    assert set(service.copies.values()) == {1}
    assert len(service.copies) == 20
