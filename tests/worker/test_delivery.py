"""One delivery, with a stand-in for the server."""

import asyncio
from types import SimpleNamespace
from typing import Any

import attrs
import nats.errors
import pytest
from nats.aio.msg import Msg

from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.worker.activity import Activity
from restream_async.worker.delivery import DeliveryProcessor
from tests.helpers.simulated_time import now, simulated

DONE = Handled()
DEAD = Handled(dead=(DeadItem(index=0, reason="it cannot be read"),))
RETRY = Handled(delay=1.5, reason="503")


@attrs.define
class Server:
    """Stands in for the server, and notes in which order it hears of a message."""

    is_away: bool = False
    heard: list[str] = attrs.field(factory=list[str])

    async def publish(self, subject: str | Handled, word: object) -> None:
        del word
        # A report, or the first extension of the lease.
        if isinstance(subject, Handled):
            self.heard.append("report")

    async def request(self, subject: str, word: bytes, *, timeout: float) -> None:  # noqa: ASYNC109
        del subject, timeout
        if self.is_away:
            raise nats.errors.TimeoutError
        self.heard.append(word.decode())


async def process(
    server: Server, result: Handled | Exception | None, activity: Activity, delivery: int = 1
) -> None:
    """Process one delivery. With the result None the worker stops before the work has ended."""
    stand_in: Any = server
    over = asyncio.Event()
    message: Any = SimpleNamespace(
        reply="reply",
        headers=None,
        metadata=SimpleNamespace(num_delivered=delivery, sequence=SimpleNamespace(stream=7)),
    )

    async def work(_: Msg) -> Handled:
        assert activity.in_progress == 1
        if isinstance(result, Exception):
            raise result
        if result is None:
            over.set()
            return await asyncio.sleep(3600, DONE)
        return result

    processor = DeliveryProcessor(
        connection=stand_in, ack_wait=30.0, reports=stand_in, activity=activity, shutdown_over=over
    )
    await processor.process(work, message, 0.0)


@pytest.mark.parametrize(
    ("result", "verdict", "heard"),
    [
        (DONE, "done", ["report", "+ACK"]),
        (DEAD, "dead", ["report", "+TERM"]),
        (RETRY, "retry", ["report", '-NAK {"delay": 1500000000}']),
        (Handled(delay=0.0), "retry", ["report", "-NAK"]),
        (None, "nak", ['-NAK {"delay": 30000000000}']),
        (ZeroDivisionError(), "bug", []),
    ],
    ids=["done", "dead", "retry", "retry without a reason", "stopped", "bug"],
)
@simulated
async def test_a_message_is_acknowledged_after_its_report(
    result: Handled | Exception | None, verdict: str, heard: list[str]
) -> None:
    server, activity = Server(), Activity()

    await process(server, result, activity)

    assert server.heard == heard
    assert {name: count for name, count in activity.verdicts.items() if count} == {verdict: 1}
    assert (activity.in_progress, activity.redelivered) == (0, 0)


@simulated
async def test_if_the_server_stays_away_the_lease_is_lost_and_the_message_not_counted_as_done(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.lease.time", SimpleNamespace(monotonic=now))
    activity = Activity()

    await process(Server(is_away=True), DONE, activity, delivery=2)

    assert activity.verdicts["lease_lost"] == activity.redelivered == 1
    assert activity.verdicts["done"] == 0
    assert "message 7: the NATS server was away for too long" in caplog.text
