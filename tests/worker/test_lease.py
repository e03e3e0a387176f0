"""The lease of a message, with a stand-in for the server."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any

import attrs
import nats.errors
import pytest

from restream_async.worker.lease import Lease, LeaseLostError
from tests.helpers.simulated_time import now, simulated

SECONDS = 0.6


@attrs.define
class Connection:
    """Stands in for the server. It fails at first, `failures` times."""

    failures: float = 0
    sent: list[bytes] = attrs.field(factory=list[bytes])
    asked: list[float] = attrs.field(factory=list[float])
    published: list[tuple[bytes, float]] = attrs.field(factory=list[tuple[bytes, float]])
    reply: str = "reply"

    async def publish(self, subject: str, word: bytes) -> None:
        assert subject == self.reply
        self.published.append((word, now()))
        if self.failures:
            raise nats.errors.ConnectionClosedError

    async def request(self, subject: str, word: bytes, *, timeout: float) -> None:  # noqa: ASYNC109
        assert (subject, timeout) == (self.reply, SECONDS / 6)
        self.sent.append(word)
        self.asked.append(now())
        if self.failures:
            self.failures -= 1
            raise nats.errors.NoRespondersError


@pytest.fixture(autouse=True)
def _time_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - autouse
    monkeypatch.setattr("restream_async.worker.lease.time", SimpleNamespace(monotonic=now))


def lease(connection: Connection, age: float = 0.0) -> Lease:
    stand_in: Any = connection
    return Lease(stand_in, stand_in, SECONDS, age)


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (Lease.ack, b"+ACK"),
        (Lease.terminate, b"+TERM"),
        (partial(Lease.nak, delay=0.0), b"-NAK"),
        (partial(Lease.nak, delay=1.5), b'-NAK {"delay": 1500000000}'),
    ],
)
@simulated
async def test_an_acknowledgement_is_repeated_until_the_server_confirms_it(
    end: Callable[[Lease], Awaitable[None]], word: bytes
) -> None:
    connection = Connection(failures=2)

    await end(lease(connection))

    assert connection.sent == [word] * 3


@simulated
async def test_without_a_confirmation_in_time_the_lease_is_lost() -> None:
    connection = Connection(failures=1000)
    with pytest.raises(LeaseLostError):
        await lease(connection).ack()

    assert now() == pytest.approx(SECONDS * 5 / 6, abs=SECONDS / 30)
    assert len(connection.sent) == pytest.approx(26, abs=1), "every thirtieth of it"


@pytest.mark.parametrize("failures", [0, 1])
@simulated
async def test_a_lease_is_extended_at_once_without_waiting_for_the_server(failures: int) -> None:
    connection = Connection(failures)

    await lease(connection).hold(asyncio.sleep(SECONDS), asyncio.Event())

    assert connection.published == [(b"+WPI", 0.0)]
    assert connection.asked[0] == pytest.approx(SECONDS / 3)


@simulated
async def test_work_goes_on_while_the_lease_is_extended() -> None:
    connection = Connection(failures=2)

    result = await lease(connection).hold(asyncio.sleep(SECONDS * 1.5, "done"), asyncio.Event())

    assert result == "done"
    assert set(connection.sent) == {b"+WPI"}
    thirds = [10, 11, 12, 22, 32, 42]
    assert connection.asked == pytest.approx([SECONDS / 30 * each for each in thirds])


@simulated
async def test_work_ends_before_the_lease_does() -> None:
    ended = asyncio.get_running_loop().time() + SECONDS
    work = asyncio.sleep(10)

    with pytest.raises(LeaseLostError):
        await lease(Connection(failures=1000), age=SECONDS / 3).hold(work, asyncio.Event())

    assert asyncio.get_running_loop().time() < ended - SECONDS / 3


@simulated
async def test_a_cancellation_that_is_lost_in_a_request_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.tasks._SECONDS", 0.1)
    lost: list[None] = []

    class Losing(Connection):
        async def request(self, subject: str, word: bytes, *, timeout: float) -> None:  # noqa: ASYNC109
            await super().request(subject, word, timeout=timeout)
            try:
                await asyncio.sleep(SECONDS / 4)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(None)

    work: Coroutine[Any, Any, str] = asyncio.sleep(SECONDS / 2, "done")
    holding = lease(Losing()).hold(work, asyncio.Event())

    assert await asyncio.wait_for(holding, 10) == "done"
    assert lost


@simulated
async def test_an_error_of_the_work_is_raised() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lease(Connection()).hold(fail(), asyncio.Event())


@simulated
async def test_if_the_worker_stops_first_there_is_no_result() -> None:
    over = asyncio.Event()
    over.set()

    work: Coroutine[Any, Any, str] = asyncio.sleep(10, "done")
    assert await lease(Connection()).hold(work, over) is None
