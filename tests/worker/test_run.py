"""One worker in this process, on a real NATS server."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import attrs
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StreamConfig

from restream_async import (
    Failed,
    InternalServerError,
    NewRestream,
    Outcome,
    RestreamClient,
    RetryPolicy,
)
from restream_async.errors import Call
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.commands import encode
from restream_async.worker.consumer import Consumer, DeletedError, declare_consumer
from restream_async.worker.handling import SHUTDOWN_TIMEOUT
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.run import Worker
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import CHECK_FIRST, Subjects
from restream_async.worker.webhooks import Destination, restreams_for
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import BAD, all_done, documents, stored_count, wanted

ACK_WAIT = 1.5
RETRY = RetryPolicy(attempts=3, base=0.05, cap=0.2, deadline=5.0)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_options._RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.slot._FETCH_SECONDS", 0.5)


@attrs.define
class Desk:
    """Where a test publishes commands, and starts workers for them."""

    connection: Client
    sandbox: Sandbox
    url: str
    retry: RetryPolicy = RETRY
    kind: type[RestreamClient] = RestreamClient

    def client(self) -> RestreamClient:
        return self.kind(
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
        *,
        attempts: int = 10,
        ack_wait: float = ACK_WAIT,
        check_until: int = 0,
        **changes: Any,  # noqa: ANN401 - of the settings
    ) -> AsyncGenerator[Worker]:
        settings = WorkerSettings(
            concurrency=4,
            shutdown_timeout=3.0,
            redelivery=RetryPolicy(attempts=attempts, base=0.2, cap=0.5),
        )
        settings = attrs.evolve(settings, **changes)
        consumer = Consumer(global_concurrency=8, ack_wait=ack_wait, check_until=check_until)
        connection = await NatsOptions(url=self.url).connect()
        worker = Worker(connection, settings, consumer, b"salt")
        running = asyncio.create_task(worker.run(self.client))
        try:
            yield worker
        finally:
            worker.stop()
            await asyncio.wait_for(running, 15)
            await close(connection)

    async def pending(self) -> tuple[int, int]:
        """Return how many messages are under way, and how many were delivered more than once."""
        info = await jetstream_of(self.connection).consumer_info("RESTREAMS", "restream-workers")
        return info.num_ack_pending or 0, info.num_redelivered or 0


@pytest_asyncio.fixture
async def desk(nats_server: NatsServer, connection: Client, sandbox: Sandbox) -> Desk:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    await declare_consumer(jetstream, Subjects(), global_concurrency=8, ack_wait=ACK_WAIT)
    return Desk(connection, sandbox, nats_server.url)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.02)


async def test_a_slow_one_does_not_stall_the_others_and_nothing_is_fetched_ahead(
    desk: Desk,
) -> None:
    desk.sandbox.latency = lambda _: 2.0 if desk.sandbox.counts.posts == 1 else 0.05
    await desk.publish(*range(10))

    async with desk.worker(concurrency=2):
        await stored_count(desk.sandbox, 9, 1.8)
        assert len(desk.sandbox.stored) == 9, "the slow one is still under way"
        await stored_count(desk.sandbox, 10, 5)

    assert desk.sandbox.counts.max_in_flight == 2


async def test_work_that_takes_longer_than_the_ack_wait_is_not_given_to_somebody_else(
    desk: Desk,
) -> None:
    desk.sandbox.latency = ACK_WAIT * 2
    desk.retry = RetryPolicy(deadline=30.0)
    await desk.publish(1)

    async with desk.worker(), desk.worker():
        await all_done(desk.connection, 10)

    assert (desk.sandbox.counts.posts, desk.sandbox.counts.lists) == (1, 1)
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
    assert (outcome["delivery"], outcome["origin"], outcome["attempts"]) == (2, "posted", 1)
    assert await documents(desk.connection, "RESTREAMS_DEAD") == []


async def test_messages_for_the_same_restream_at_the_same_moment_create_it_once(
    desk: Desk,
) -> None:
    desk.sandbox.latency = 0.1
    await desk.publish(*[1] * 12)

    async with desk.worker(concurrency=8):
        await all_done(desk.connection, 15)

    assert len(desk.sandbox.stored) == 1
    assert len(await documents(desk.connection, "RESTREAMS_OUTCOMES")) == 12


async def test_an_outcome_says_how_the_restream_came_to_be_known(desk: Desk) -> None:
    desk.sandbox.faults = Faults(after={Fault.BACKEND_FETCH_FAILED: 1.0}, retry_after=None)
    jetstream = jetstream_of(desk.connection)
    await desk.publish(1)
    await jetstream.publish("restreams.commands", encode([wanted(1), wanted(2)]))

    async with desk.worker(concurrency=1, check_until=2):
        await all_done(desk.connection, 10)

    told = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert [(each["origin"], each["attempts"], each["maybeDuplicate"]) for each in told] == [
        ("confirmed", 1, False),
        ("existing", 0, False),
        ("confirmed", 1, False),
    ]


async def test_what_never_succeeds_is_a_dead_letter_after_its_deliveries(desk: Desk) -> None:
    desk.sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0})
    await desk.publish(1)

    async with desk.worker(attempts=2):
        await all_done(desk.connection, 20)

    (letter,) = await documents(desk.connection, "RESTREAMS_DEAD")
    assert letter["videoId"] == "v1"
    assert letter["error"].startswith("given up after 2 deliveries: 500")
    assert "SECRET" not in str(letter)


async def test_in_an_outage_messages_are_held_and_no_delivery_is_used_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async.worker")
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    monkeypatch.setattr("restream_async._load.circuit_breaker._LONGEST_INTERVAL", 0.5)
    monkeypatch.setattr("restream_async.worker.handling._OUTAGE_PAUSE", 0.2)
    # With a Retry-After messages would rest for so long that nothing needed to be held.
    desk.sandbox.faults = Faults(retry_after=None)
    desk.sandbox.outage = True
    desk.retry = RetryPolicy(attempts=5, base=0.15, cap=0.15, deadline=0.4)
    await desk.publish(*range(20))

    async with desk.worker(concurrency=8, attempts=4):
        # Four deliveries, each tried for so long, and the rests between them, take 2.7 s.
        await asyncio.sleep(3.2)
        assert len(desk.sandbox.stored) == 0
        under_way, _ = await desk.pending()
        assert under_way <= 8
        assert (
            caplog.text.count("the service cannot be reached, so this worker holds its messages: ")
            == 1
        )
        desk.sandbox.outage = False
        await all_done(desk.connection, 20)

    assert len(desk.sandbox.stored) == 20
    outcomes = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert max(each["delivery"] for each in outcomes) <= 4
    assert caplog.text.count("this worker goes on: the service answers again") == 1
    assert await documents(desk.connection, "RESTREAMS_DEAD") == []


async def test_b_7_in_an_outage_a_worker_says_why_it_holds_before_any_call_has_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async.worker")
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    monkeypatch.setattr("restream_async._load.circuit_breaker._LONGEST_INTERVAL", 0.5)
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    desk.sandbox.faults = Faults(retry_after=None)
    desk.sandbox.outage = True
    desk.retry = RetryPolicy(attempts=50, base=0.1, cap=0.1, deadline=30.0)
    await desk.publish(*range(4))

    async with desk.worker():
        await until(lambda: "this worker holds its messages: 503 Backend fetch" in caplog.text, 5)
        assert "again:" not in caplog.text, "none has come to an end"
        desk.sandbox.outage = False
        await all_done(desk.connection, 10)

    assert len(desk.sandbox.stored) == 4


async def test_b_7_each_message_that_ends_is_one_line_of_the_log_without_a_secret(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async.worker")
    jetstream = jetstream_of(desk.connection)
    both = encode([wanted(2), wanted(3)])
    for data in (encode(wanted(1)), encode(wanted(1)), both, *BAD[:2], both[:-1] + b",7]"):
        await jetstream.publish("restreams.commands", data)

    async with desk.worker(concurrency=1):
        await all_done(desk.connection, 10)

    assert [text for text in caplog.messages if "has ended" in text] == [
        "message 1 has ended: 1 created (video v1)",
        "message 2 has ended: 1 existed already (video v1)",
        "message 3 has ended: 2 created",
        "message 4 has ended: 1 not created",
        "message 5 has ended: 1 not created (video v1)",
        "message 6 has ended: 2 existed already, 1 not created",
    ]
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("away", ["stopped", "silent"])
async def test_b_7_a_worker_ends_within_10_seconds_by_default_whatever_answers_no_longer(
    away: str, desk: Desk, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    desk.sandbox.latency = 60.0
    await desk.publish(1)
    try:
        async with desk.worker(
            concurrency=2, shutdown_timeout=0.3, ack_wait=30.0, trust_stream=True
        ) as worker:
            await until(lambda: desk.sandbox.counts.posts == 1)
            if away == "silent":
                nats_server.send(signal.SIGSTOP)
            else:
                await nats_server.stop()
            began = time.monotonic()
            worker.stop()
        took = time.monotonic() - began
    finally:
        nats_server.send(signal.SIGCONT)

    assert took - 0.3 + SHUTDOWN_TIMEOUT < 10
    assert "message 1 is given back unfinished" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_worker_that_ends_finishes_what_is_under_way(desk: Desk) -> None:
    desk.sandbox.latency = 1.0
    await desk.publish(*range(8))

    async with desk.worker(concurrency=4) as worker:
        await until(lambda: desk.sandbox.counts.in_flight == 4)
        worker.stop()

    assert len(desk.sandbox.stored) == 4
    assert (await desk.pending())[0] == 0, "nothing waits for a worker that is gone"


async def test_what_a_worker_that_ends_cuts_off_is_found_by_the_next_one(desk: Desk) -> None:
    desk.sandbox.latency = lambda _: 1.0 if desk.sandbox.counts.posts else 0.0
    await desk.publish(1)

    async with desk.worker(shutdown_timeout=0.3) as worker:
        await until(lambda: desk.sandbox.counts.posts == 1)
        desk.sandbox.latency = 0.0
        worker.stop()
    assert desk.sandbox.stored == (), "the service is still working on it"
    async with desk.worker():
        await all_done(desk.connection, 10)

    assert len(desk.sandbox.stored) == 1
    (outcome,) = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (2, "existing")


async def test_poison_blocks_nobody(desk: Desk) -> None:
    jetstream = jetstream_of(desk.connection)
    for number in range(10):
        await jetstream.publish("restreams.commands", b"poison %d SECRET" % number)
    await jetstream.publish("restreams.commands", encode(wanted(1)))

    async with desk.worker(concurrency=1):
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

    async with desk.worker(concurrency=1):
        await until(lambda: desk.sandbox.counts.in_flight == 1)
        await nats_server.stop()
        await until(lambda: "away for too long" in caplog.text, ACK_WAIT)
        desk.sandbox.latency = 0.0
        # Longer than the service would have taken.
        await asyncio.sleep(ACK_WAIT * 1.4)
        await nats_server.start()
        await all_done(desk.connection, 20)

    assert len(desk.sandbox.stored) == 1


@pytest.mark.parametrize(("seconds", "trust_stream"), [(1.0, False), (ACK_WAIT * 2, True)])
async def test_what_a_killed_server_delivers_twice_while_it_is_being_created_exists_once(
    seconds: float,
    trust_stream: bool,  # noqa: FBT001 - a parameter of the test
    desk: Desk,
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    desk.retry = RetryPolicy(deadline=30.0)
    desk.sandbox.latency = seconds
    # Each worker has a place left for what the other one has begun.
    async with desk.worker(trust_stream=trust_stream), desk.worker(trust_stream=trust_stream):
        await desk.publish(*range(4))
        await until(lambda: desk.sandbox.counts.in_flight == 4)
        await nats_server.restart(signal.SIGKILL)
        assert desk.sandbox.stored == (), "the service is still working on all of them"
        await all_done(desk.connection, 20)

    assert len(desk.sandbox.stored) == desk.sandbox.counts.posts == 4
    assert caplog.text.count("this worker gives back") == 2


async def test_an_event_that_is_repeated_creates_one_restream_for_each_destination(
    desk: Desk,
) -> None:
    jetstream = jetstream_of(desk.connection)
    await declare_consumer(jetstream, Subjects(), events=True, ack_wait=ACK_WAIT)
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
        headers = {CHECK_FIRST: "1"}
        again = encode(restreams_for(event, destinations))
        await jetstream.publish("restreams.commands", again, headers=headers)
        await all_done(desk.connection, 10)

    assert sorted(item.title for item in desk.sandbox.stored) == ["To 0: Show", "To 1: Show"]
    (letter,) = await documents(desk.connection, "RESTREAMS_DEAD")
    assert letter["error"] == "the event cannot be used: it is not JSON at position 0"


async def test_a_worker_that_ends_takes_nothing_more_and_uses_up_no_deliveries(desk: Desk) -> None:
    desk.sandbox.latency = 1.3
    await desk.publish(1)

    async with desk.worker(concurrency=4, attempts=2) as worker:
        await until(lambda: desk.sandbox.counts.in_flight == 1)
        worker.stop()
        await asyncio.sleep(0.3)
        await desk.publish(*range(2, 12))
        await asyncio.sleep(0.5)
        info = await jetstream_of(desk.connection).consumer_info("RESTREAMS", "restream-workers")
        assert info.delivered is not None
        assert info.delivered.consumer_seq == 1

    assert await documents(desk.connection, "RESTREAMS_DEAD") == []


class PickyClient(RestreamClient):
    """For it the service fails at the first eight restreams, however often they are tried."""

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        if int(new.stream_key[-6:]) >= 8:
            return await super().outcome(new, ensure=ensure, recent=recent)
        error = InternalServerError(Call("POST", "/r", new.video_id), status=500)
        return Failed(index=0, request=new, error=error, attempts=5)


async def test_a_crowd_that_rests_keeps_fresh_ones_waiting_no_longer_than_it_is_tried(
    desk: Desk,
) -> None:
    desk.kind = PickyClient
    await desk.publish(*range(10))

    async with desk.worker(concurrency=4, attempts=3):
        under_way, _ = await desk.pending()
        assert under_way <= 8
        # At most 0.2 and 0.4 seconds of rest, and as much again for a busy machine.
        await stored_count(desk.sandbox, 2, 1.2)
        await all_done(desk.connection, 5)

    assert len(await documents(desk.connection, "RESTREAMS_DEAD")) == 8


@pytest.mark.parametrize("what", ["consumer", "RESTREAMS", "RESTREAMS_OUTCOMES"])
async def test_a_worker_under_which_a_consumer_or_stream_is_deleted_ends_and_says_so(
    what: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.run._RECHECK_SECONDS", 0.1)
    jetstream = jetstream_of(desk.connection)
    named = "the stream RESTREAMS_OUTCOMES" if what == "RESTREAMS_OUTCOMES" else "the consumer rest"
    await desk.publish(1)

    async def work() -> None:
        async with desk.worker(shutdown_timeout=0.5):
            await stored_count(desk.sandbox, 1, 5)
            if what == "consumer":
                await jetstream.delete_consumer("RESTREAMS", "restream-workers")
            else:
                await jetstream.delete_stream(what)
            await until(lambda: "so this worker ends" in caplog.text)

    with pytest.raises(DeletedError, match=f"{named}.* does not exist any more"):
        await work()


async def test_what_a_deleted_consumer_may_have_delivered_is_looked_for_first(desk: Desk) -> None:
    await desk.publish(1, 2)
    async with desk.client() as client:
        await client.create(wanted(1))

    async with desk.worker(check_until=1, trust_stream=True):
        await all_done(desk.connection, 10)

    assert len(desk.sandbox.stored) == 2
    assert desk.sandbox.counts.lists == 1


async def test_a_worker_that_is_told_to_end_before_it_has_begun_ends(
    desk: Desk,
) -> None:
    await desk.publish(1)

    async with desk.worker() as worker:
        worker.stop()

    assert desk.sandbox.counts.posts == 0


async def test_an_outcome_that_cannot_be_told_yet_is_told_later_and_the_message_held_so_long(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    jetstream = jetstream_of(desk.connection)
    config = (await jetstream.stream_info("RESTREAMS_OUTCOMES")).config
    full: StreamConfig = config.evolve(max_bytes=1, discard=DiscardPolicy.NEW)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await jetstream.update_stream(full)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await desk.publish(1)

    async with desk.worker():
        await until(lambda: "an outcome cannot be published yet" in caplog.text)
        await asyncio.sleep(ACK_WAIT)
        await jetstream.update_stream(config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        await all_done(desk.connection, 10)

    (outcome,) = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (1, "posted")


async def test_a_worker_for_events_ends_when_their_consumer_is_deleted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.run._RECHECK_SECONDS", 0.1)
    jetstream = jetstream_of(desk.connection)
    destinations = (Destination(title="t", stream_url="rtmp://h/a", stream_key="SECRET"),)
    await declare_consumer(jetstream, Subjects(), events=True, ack_wait=ACK_WAIT)

    async def work() -> None:
        async with desk.worker(concurrency=1, shutdown_timeout=0.5, destinations=destinations):
            await asyncio.sleep(0.5)
            await jetstream.delete_consumer("RESTREAMS", "restream-workers-events")
            await until(lambda: "so this worker ends" in caplog.text)

    with pytest.raises(DeletedError, match="the consumer restream-workers-events"):
        await work()


@pytest.mark.parametrize("latency", [0.0, 60.0])
async def test_a_worker_that_ends_while_nats_is_away_ends_well(
    latency: float, desk: Desk, nats_server: NatsServer
) -> None:
    desk.sandbox.latency = latency
    await desk.publish(1)

    async with desk.worker(concurrency=2, shutdown_timeout=0.3, trust_stream=True) as worker:
        await until(lambda: desk.sandbox.counts.posts == 1)
        await nats_server.stop()
        await asyncio.sleep(0.5)
        worker.stop()


async def test_a_worker_for_which_nothing_was_declared_fails(
    connection: Client,
    nats_server: NatsServer,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.run._RECHECK_SECONDS", 0.1)
    desk = Desk(connection, sandbox, nats_server.url)

    with pytest.raises(DeletedError, match="the consumer restream-workers"):
        async with desk.worker(concurrency=1):
            await until(lambda: "so this worker ends" in caplog.text)


async def test_a_bug_costs_one_delivery_of_one_message_and_not_the_worker(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("restream_async.worker.run.reports", fail)
        await desk.publish(1)
        async with desk.worker(concurrency=1):
            await until(lambda: "message 1 failed because of a bug" in caplog.text)
            patched.undo()
            await all_done(desk.connection, 10)

    (outcome,) = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (2, "existing")


async def test_after_the_stream_was_made_again_all_outcomes_are_told_again(desk: Desk) -> None:
    jetstream = jetstream_of(desk.connection)
    for _ in range(2):
        await desk.publish(1)
        async with desk.worker():
            await all_done(desk.connection, 10)
        await jetstream.delete_stream("RESTREAMS")
        await declare_streams(jetstream, Subjects())
        await declare_consumer(jetstream, Subjects(), global_concurrency=8, ack_wait=ACK_WAIT)

    told = await documents(desk.connection, "RESTREAMS_OUTCOMES")
    assert [(each["sequence"], each["origin"]) for each in told] == [(1, "posted"), (1, "existing")]
    assert len(desk.sandbox.stored) == 1
