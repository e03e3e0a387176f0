"""One worker in this process, on a real NATS server."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

import attrs
import pytest
import pytest_asyncio
from faststream import FastStream
from nats.aio.client import Client

from restream_async import RestreamClient, RetryPolicy
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.app import worker_app
from restream_async.worker.commands import encode
from restream_async.worker.names import LOOK_FIRST, Names
from restream_async.worker.nats_options import NatsOptions, jetstream_of
from restream_async.worker.plan import Plan
from restream_async.worker.topology import declare_consumer, declare_streams
from restream_async.worker.webhooks import Destination, restreams_for

from .fleet import all_done, documents, stored_count, wanted
from .nats_server import NatsServer

ACK_WAIT = 1.5
RETRY = RetryPolicy(attempts=3, base=0.05, cap=0.2, deadline=5.0)


@attrs.define
class Desk:
    """Where a test publishes commands, and starts workers for them."""

    connection: Client
    sandbox: Sandbox
    url: str
    retry: RetryPolicy = RETRY

    def client(self) -> RestreamClient:
        return RestreamClient(
            base_url=self.sandbox.base_url,
            project_id=self.sandbox.project_id,
            api_key=self.sandbox.api_key,
            retry=self.retry,
        )

    async def publish(self, *numbers: int) -> None:
        for number in numbers:
            await jetstream_of(self.connection).publish(
                "restreams.commands", encode(wanted(number))
            )

    @contextlib.asynccontextmanager
    async def worker(
        self,
        places: int = 4,
        grace: float = 3.0,
        attempts: int = 10,
        destinations: tuple[Destination, ...] = (),
    ) -> AsyncGenerator[FastStream]:
        plan = Plan(
            places=places,
            ack_wait=ACK_WAIT,
            grace=grace,
            destinations=destinations,
            salt=b"salt",
            redelivery=RetryPolicy(attempts=attempts, base=0.2, cap=0.5),
        )
        app = worker_app(NatsOptions(url=self.url), plan, self.client)
        running = asyncio.create_task(app.run())
        try:
            yield app
        finally:
            app.exit()
            await asyncio.wait_for(running, 15)

    async def pending(self) -> tuple[int, int]:
        """Return how many messages are under way, and how many were delivered more than once."""
        info = await jetstream_of(self.connection).consumer_info("RESTREAMS", "restream-workers")
        return info.num_ack_pending or 0, info.num_redelivered or 0


@pytest_asyncio.fixture
async def desk(nats_server: NatsServer, connection: Client, sandbox: Sandbox) -> Desk:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Names())
    await declare_consumer(jetstream, Names(), in_flight=8, ack_wait=ACK_WAIT)
    return Desk(connection, sandbox, nats_server.url)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.02)


async def test_a_slow_one_does_not_stall_the_others_and_nothing_is_fetched_ahead(
    desk: Desk,
) -> None:
    desk.sandbox.latency = lambda _: 3.0 if desk.sandbox.counts.posts == 1 else 0.05
    await desk.publish(*range(20))

    async with desk.worker(places=2):
        await stored_count(desk.sandbox, 19, 2.7)
        assert len(desk.sandbox.stored) == 19, "the slow one is still under way"
        await stored_count(desk.sandbox, 20, 5)

    assert desk.sandbox.counts.max_in_flight == 2


async def test_work_that_takes_longer_than_the_ack_wait_is_not_given_to_somebody_else(
    desk: Desk,
) -> None:
    desk.sandbox.latency = ACK_WAIT * 2
    await desk.publish(1)

    async with desk.worker(), desk.worker():
        await all_done(desk.connection, 10)

    assert (desk.sandbox.counts.posts, desk.sandbox.counts.lists) == (1, 0)
    assert [
        each["delivery"] for each in await documents(desk.connection, "RESTREAMS_OUTCOMES")
    ] == [1]


async def test_what_fails_for_now_comes_again_and_looks_first(desk: Desk) -> None:
    desk.sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0}, max_faults=3)
    await desk.publish(1)

    async with desk.worker():
        await all_done(desk.connection, 10)

    assert len(desk.sandbox.stored) == 1
    (outcome,) = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert outcome["delivery"] == 2
    assert await documents(desk.connection, "RESTREAMS_DEAD") == []


async def test_what_never_succeeds_is_a_dead_letter_after_its_deliveries(desk: Desk) -> None:
    desk.sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0})
    await desk.publish(1)

    async with desk.worker(attempts=2):
        await all_done(desk.connection, 20)

    (letter,) = await documents(desk.connection, "RESTREAMS_DEAD")
    assert letter["videoId"] == "v1"
    assert letter["error"].startswith("given up after 2 deliveries: 500")
    assert "SECRET" not in str(letter)


async def test_in_an_outage_messages_are_held_and_no_delivery_is_used_up(desk: Desk) -> None:
    desk.sandbox.outage = True
    desk.retry = RetryPolicy(attempts=5, base=0.4, cap=0.4, deadline=1.0)
    await desk.publish(*range(20))

    async with desk.worker(places=8, attempts=4):
        await asyncio.sleep(7.0)
        assert len(desk.sandbox.stored) == 0
        under_way, _ = await desk.pending()
        assert under_way <= 8
        desk.sandbox.outage = False
        await all_done(desk.connection, 20)

    assert len(desk.sandbox.stored) == 20
    outcomes = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert max(each["delivery"] for each in outcomes) <= 4
    assert await documents(desk.connection, "RESTREAMS_DEAD") == []


async def test_a_worker_that_ends_finishes_what_is_under_way(desk: Desk) -> None:
    desk.sandbox.latency = 1.0
    await desk.publish(*range(8))

    async with desk.worker(places=4) as app:
        await until(lambda: desk.sandbox.counts.in_flight == 4)
        app.exit()

    assert len(desk.sandbox.stored) == 4
    assert (await desk.pending())[0] == 0, "nothing waits for a worker that is gone"


async def test_a_worker_that_ends_gives_back_what_takes_longer_than_the_grace(desk: Desk) -> None:
    desk.sandbox.latency = 60.0
    await desk.publish(1)

    async with desk.worker(grace=0.3) as app:
        await until(lambda: desk.sandbox.counts.in_flight == 1)
        app.exit()

    message = await _fetch(desk.connection)
    assert message == 2, "delivered again at once, not after the ack wait"


async def _fetch(connection: Client) -> int:
    pulled = await jetstream_of(connection).pull_subscribe_bind("restream-workers", "RESTREAMS")
    (message,) = await pulled.fetch(1, timeout=ACK_WAIT / 3)
    return message.metadata.num_delivered


async def test_poison_blocks_nobody(desk: Desk) -> None:
    jetstream = jetstream_of(desk.connection)
    for number in range(10):
        await jetstream.publish("restreams.commands", b"poison %d SECRET" % number)
    await jetstream.publish("restreams.commands", encode(wanted(1)))

    async with desk.worker(places=1):
        await all_done(desk.connection, 5)

    assert len(desk.sandbox.stored) == 1
    letters = await documents(desk.connection, "RESTREAMS_DEAD")
    assert [each["sequence"] for each in letters] == list(range(1, 11))
    assert "SECRET" not in str(letters)


async def test_when_nats_is_away_for_too_long_the_work_is_left_to_whoever_gets_it_next(
    desk: Desk, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.sandbox.latency = ACK_WAIT * 2
    await desk.publish(1)

    async with desk.worker(places=1):
        await until(lambda: desk.sandbox.counts.in_flight == 1)
        await nats_server.stop()
        await until(lambda: "away for too long" in caplog.text, ACK_WAIT)
        desk.sandbox.latency = 0.0
        await asyncio.sleep(ACK_WAIT * 2)
        await nats_server.start()
        await all_done(desk.connection, 20)

    assert len(desk.sandbox.stored) == 1


async def test_an_event_that_is_repeated_creates_one_restream_for_each_destination(
    desk: Desk,
) -> None:
    jetstream = jetstream_of(desk.connection)
    await declare_consumer(jetstream, Names().of_events, ack_wait=ACK_WAIT)
    destinations = tuple(
        Destination(title=f"To {n}: {{title}}", stream_url="rtmp://h/a", stream_key=f"SECRET-{n}")
        for n in range(2)
    )
    event = b'{"eventType": "live.video.created", "data": {"PublicId": "v5", "Title": "Show"}}'
    for data in (event, event, b"SECRET"):
        await jetstream.publish("restreams.events", data)

    async with desk.worker(destinations=destinations):
        await all_done(desk.connection, 10)
        # As if the repeat came after the stream had forgotten the first.
        headers = {LOOK_FIRST: "1"}
        again = encode(restreams_for(event, destinations))
        await jetstream.publish("restreams.commands", again, headers=headers)
        await all_done(desk.connection, 10)

    assert sorted(item.title for item in desk.sandbox.stored) == ["To 0: Show", "To 1: Show"]
    (letter,) = await documents(desk.connection, "RESTREAMS_DEAD")
    assert letter["error"] == "the event cannot be used: it is not JSON at position 0"
