"""One worker in this process, on a real NATS server."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncGenerator
from typing import Any

import attrs
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StreamConfig

from restream_async import (
    ConfigurationError,
    Failed,
    InternalServerError,
    NewRestream,
    Outcome,
    RestreamClient,
    RetryPolicy,
)
from restream_async.destinations import Destination
from restream_async.errors import Call
from restream_async.handling.command_messages import encode
from restream_async.handling.message_handler import SHUTDOWN_TIMEOUT
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.consumer import Consumer, declare_consumer
from restream_async.worker.errors import WorkerEndedError
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.platform_events import task_of
from restream_async.worker.run import Worker
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import CHECK_FIRST, Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until
from tests.helpers.worker_fleet import BAD, all_processed, documents, stored_count, wanted

ACK_WAIT = 1.5
RETRY = RetryPolicy(attempts=3, base=0.05, cap=0.2, deadline=5.0)


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.pull_loop._FETCH_SECONDS", 0.5)


@attrs.define
class Setup:
    """A server, a sandbox, and a way to start workers."""

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
        """Return how many messages are in progress, and how many were delivered more than once."""
        info = await jetstream_of(self.connection).consumer_info("RESTREAMS", "restream-workers")
        return info.num_ack_pending or 0, info.num_redelivered or 0


@pytest_asyncio.fixture
async def setup(nats_server: NatsServer, connection: Client, sandbox: Sandbox) -> Setup:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    await declare_consumer(jetstream, Subjects(), global_concurrency=8, ack_wait=ACK_WAIT)
    return Setup(connection, sandbox, nats_server.url)


async def test_a_slow_message_does_not_stall_others_and_no_message_is_fetched_ahead(
    setup: Setup,
) -> None:
    setup.sandbox.latency = lambda _: 2.0 if setup.sandbox.counts.posts == 1 else 0.05
    await setup.publish(*range(10))

    async with setup.worker(concurrency=2):
        await stored_count(setup.sandbox, 9, 1.8)
        assert len(setup.sandbox.stored) == 9, "the slow one is still in progress"
        await stored_count(setup.sandbox, 10, 5)

    assert setup.sandbox.counts.max_in_flight == 2


async def test_work_that_takes_longer_than_the_ack_wait_stays_with_its_worker(
    setup: Setup,
) -> None:
    setup.sandbox.latency = ACK_WAIT * 2
    setup.retry = RetryPolicy(deadline=30.0)
    await setup.publish(1)

    async with setup.worker(), setup.worker():
        await all_processed(setup.connection, 10)

    assert (setup.sandbox.counts.posts, setup.sandbox.counts.lists) == (1, 1)
    assert [
        each["delivery"] for each in await documents(setup.connection, "RESTREAMS_OUTCOMES")
    ] == [1]


async def test_a_temporary_failure_is_delivered_again_with_a_check(setup: Setup) -> None:
    setup.sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0}, max_faults=3)
    await setup.publish(1)

    async with setup.worker():
        await all_processed(setup.connection, 10)

    assert len(setup.sandbox.stored) == 1
    (outcome,) = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"], outcome["attempts"]) == (2, "posted", 1)
    assert await documents(setup.connection, "RESTREAMS_DEAD") == []


async def test_simultaneous_messages_for_the_same_restream_create_it_once(
    setup: Setup,
) -> None:
    setup.sandbox.latency = 0.1
    await setup.publish(*[1] * 12)

    async with setup.worker(concurrency=8):
        await all_processed(setup.connection, 15)

    assert len(setup.sandbox.stored) == 1
    assert len(await documents(setup.connection, "RESTREAMS_OUTCOMES")) == 12


async def test_an_outcome_has_the_origin_of_its_restream(setup: Setup) -> None:
    setup.sandbox.faults = Faults(after={Fault.BACKEND_FETCH_FAILED: 1.0}, retry_after=None)
    jetstream = jetstream_of(setup.connection)
    await setup.publish(1)
    await jetstream.publish("restreams.commands", encode([wanted(1), wanted(2)]))

    async with setup.worker(concurrency=1, check_until=2):
        await all_processed(setup.connection, 10)

    outcomes = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert [(each["origin"], each["attempts"], each["maybeDuplicate"]) for each in outcomes] == [
        ("confirmed", 1, False),
        ("existing", 0, False),
        ("confirmed", 1, False),
    ]


async def test_a_message_that_always_fails_is_a_dead_letter_after_its_deliveries(
    setup: Setup,
) -> None:
    setup.sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0})
    await setup.publish(1)

    async with setup.worker(attempts=2):
        await all_processed(setup.connection, 20)

    (letter,) = await documents(setup.connection, "RESTREAMS_DEAD")
    assert letter["videoId"] == "v1"
    assert letter["error"].startswith("given up after 2 deliveries: 500")
    assert "SECRET" not in str(letter)


async def test_a_worker_gives_up_a_message_before_the_server_does(setup: Setup) -> None:
    await setup.publish(1)
    messages = await jetstream_of(setup.connection).pull_subscribe_bind(
        "restream-workers", "RESTREAMS"
    )
    for _ in range(22):
        (message,) = await messages.fetch()
        await message.nak()

    async with setup.worker(attempts=11):
        await all_processed(setup.connection, 10)

    (letter,) = await documents(setup.connection, "RESTREAMS_DEAD")
    assert (letter["videoId"], letter["delivery"]) == ("v1", 23)
    assert letter["error"].startswith("delivered 23 times without an end")
    assert len(await documents(setup.connection, "RESTREAMS_OUTCOMES")) == 1


def test_settings_with_more_deliveries_than_the_server_makes_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"redelivery\.attempts must be at most 11, because"
    ):
        WorkerSettings(redelivery=RetryPolicy(attempts=12))


async def test_in_an_outage_messages_are_held_and_no_delivery_is_used_up(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async")
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    monkeypatch.setattr("restream_async._load.circuit_breaker._LONGEST_INTERVAL", 0.5)
    monkeypatch.setattr("restream_async.handling.message_handler._OUTAGE_PAUSE", 0.2)
    # With a Retry-After the delays would be so long that no message is held.
    setup.sandbox.faults = Faults(retry_after=None)
    setup.sandbox.outage = True
    setup.retry = RetryPolicy(attempts=5, base=0.15, cap=0.15, deadline=0.4)
    await setup.publish(*range(20))

    async with setup.worker(concurrency=8, attempts=4):
        # Four deliveries with their attempts and the delays between them take 2.7 s.
        await asyncio.sleep(3.2)
        assert len(setup.sandbox.stored) == 0
        under_way, _ = await setup.pending()
        assert under_way <= 8
        assert (
            caplog.text.count("the service cannot be reached, so this worker holds its messages: ")
            == 1
        )
        setup.sandbox.outage = False
        await all_processed(setup.connection, 20)

    assert len(setup.sandbox.stored) == 20
    outcomes = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert max(each["delivery"] for each in outcomes) <= 4
    assert caplog.text.count("this worker goes on: the service answers again") == 1
    assert await documents(setup.connection, "RESTREAMS_DEAD") == []


async def test_an_outage_in_which_no_call_ends_is_logged_once_and_its_end_once(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async")
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    monkeypatch.setattr("restream_async._load.circuit_breaker._LONGEST_INTERVAL", 0.5)
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    setup.sandbox.faults = Faults(retry_after=None)
    setup.sandbox.outage = True
    setup.retry = RetryPolicy(attempts=50, base=0.1, cap=0.1, deadline=30.0)
    await setup.publish(*range(4))

    async with setup.worker():
        await until(lambda: "circuit breaker open" in caplog.text, 5)
        await asyncio.sleep(0.3)
        assert "again:" not in caplog.text, "none has come to an end"
        setup.sandbox.outage = False
        await all_processed(setup.connection, 10)

    assert len(setup.sandbox.stored) == 4
    began, ended = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
    assert began.startswith("circuit breaker open, only probes are sent: 503 Backend fetch")
    assert ended == "circuit breaker closed, the service answers again"
    assert "this worker goes on" not in caplog.text


async def test_each_message_that_ends_is_one_log_line_without_a_secret(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async")
    jetstream = jetstream_of(setup.connection)
    both = encode([wanted(2), wanted(3)])
    for data in (encode(wanted(1)), encode(wanted(1)), both, *BAD[:2], both[:-1] + b",7]"):
        await jetstream.publish("restreams.commands", data)

    async with setup.worker(concurrency=1):
        await all_processed(setup.connection, 10)

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
async def test_a_worker_stops_within_10_seconds_by_default_without_an_answer_of_nats(
    away: str, setup: Setup, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    setup.sandbox.latency = 60.0
    await setup.publish(1)
    try:
        async with setup.worker(
            concurrency=2, shutdown_timeout=0.3, ack_wait=30.0, trust_stream=True
        ) as worker:
            await until(lambda: setup.sandbox.counts.posts == 1)
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
    assert "message 1 is redelivered: the worker stops" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_worker_that_stops_finishes_its_messages(setup: Setup) -> None:
    setup.sandbox.latency = 1.0
    await setup.publish(*range(8))

    async with setup.worker(concurrency=4) as worker:
        await until(lambda: setup.sandbox.counts.in_flight == 4)
        worker.stop()

    assert len(setup.sandbox.stored) == 4
    assert (await setup.pending())[0] == 0, "nothing waits for a worker that is gone"


async def test_a_creation_cut_off_by_a_shutdown_is_found_by_the_next_worker(setup: Setup) -> None:
    setup.sandbox.latency = lambda _: 1.0 if setup.sandbox.counts.posts else 0.0
    await setup.publish(1)

    async with setup.worker(shutdown_timeout=0.3) as worker:
        await until(lambda: setup.sandbox.counts.posts == 1)
        setup.sandbox.latency = 0.0
        worker.stop()
    assert setup.sandbox.stored == (), "the service is still working on it"
    async with setup.worker():
        await all_processed(setup.connection, 10)

    assert len(setup.sandbox.stored) == 1
    (outcome,) = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (2, "existing")


async def test_unreadable_messages_do_not_block_others(setup: Setup) -> None:
    jetstream = jetstream_of(setup.connection)
    for number in range(10):
        await jetstream.publish("restreams.commands", b"poison %d SECRET" % number)
    await jetstream.publish("restreams.commands", encode(wanted(1)))

    async with setup.worker(concurrency=1):
        await all_processed(setup.connection, 5)

    assert len(setup.sandbox.stored) == 1
    letters = await documents(setup.connection, "RESTREAMS_DEAD")
    assert [each["sequence"] for each in letters] == list(range(1, 11))
    assert "SECRET" not in str(letters)


async def test_when_nats_is_away_for_too_long_another_delivery_does_the_work(
    setup: Setup, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    setup.sandbox.latency = ACK_WAIT * 2
    await setup.publish(1)

    async with setup.worker(concurrency=1):
        await until(lambda: setup.sandbox.counts.in_flight == 1)
        await nats_server.stop()
        await until(lambda: "away for too long" in caplog.text, ACK_WAIT)
        setup.sandbox.latency = 0.0
        # Longer than the service takes.
        await asyncio.sleep(ACK_WAIT * 1.4)
        await nats_server.start()
        await all_processed(setup.connection, 20)

    assert len(setup.sandbox.stored) == 1


@pytest.mark.parametrize(("seconds", "trust_stream"), [(1.0, False), (ACK_WAIT * 2, True)])
async def test_a_message_that_a_killed_server_delivers_twice_is_created_once(
    seconds: float,
    trust_stream: bool,  # noqa: FBT001 - a parameter of the test
    setup: Setup,
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    setup.retry = RetryPolicy(deadline=30.0)
    setup.sandbox.latency = seconds
    # Each worker has a free slot for the messages of the other one.
    async with setup.worker(trust_stream=trust_stream), setup.worker(trust_stream=trust_stream):
        await setup.publish(*range(4))
        await until(lambda: setup.sandbox.counts.in_flight == 4)
        await nats_server.restart(signal.SIGKILL)
        assert setup.sandbox.stored == (), "the service is still working on all of them"
        await all_processed(setup.connection, 20)

    assert len(setup.sandbox.stored) == setup.sandbox.counts.posts == 4
    assert caplog.text.count("answers first deliveries with a NAK") == 2


async def test_a_restarted_server_leaves_old_messages_with_their_worker(
    setup: Setup, nats_server: NatsServer
) -> None:
    setup.sandbox.latency = 2.5
    await setup.publish(1, 2)
    await asyncio.sleep(ACK_WAIT)  # the server compares their age with its own clock

    async with setup.worker(trust_stream=True):
        await until(lambda: setup.sandbox.counts.in_flight == 2)
        await nats_server.restart()
        await all_processed(setup.connection, 20)

    assert setup.sandbox.counts.posts == 2
    assert setup.sandbox.counts.lists == 0, "only a second delivery is checked"


async def test_an_event_that_is_repeated_creates_one_restream_for_each_destination(
    setup: Setup,
) -> None:
    jetstream = jetstream_of(setup.connection)
    await declare_consumer(jetstream, Subjects(), events=True, ack_wait=ACK_WAIT)
    destinations = tuple(
        Destination(title=f"To {n}: {{title}}", stream_url="rtmp://h/a", stream_key=f"SECRET-{n}")
        for n in range(2)
    )
    event = b'{"eventType": "live.video.created", "data": {"PublicId": "v5", "Title": "Show"}}'
    for data in (event, event, b"SECRET"):
        await jetstream.publish("restreams.events", data)

    async with setup.worker(destinations=destinations):
        await all_processed(setup.connection, 10)
        # As if the stream had forgotten the first event before the second one came.
        headers = {CHECK_FIRST: "1"}
        task = task_of(event, destinations)
        assert task is not None
        again = encode(task.wanted)
        await jetstream.publish("restreams.commands", again, headers=headers)
        await all_processed(setup.connection, 10)

    assert sorted(item.title for item in setup.sandbox.stored) == ["To 0: Show", "To 1: Show"]
    (letter,) = await documents(setup.connection, "RESTREAMS_DEAD")
    assert letter["error"] == "the event cannot be used: it is not JSON at position 0"


async def test_a_worker_that_stops_fetches_nothing_and_uses_up_no_deliveries(setup: Setup) -> None:
    setup.sandbox.latency = 1.3
    await setup.publish(1)

    async with setup.worker(concurrency=4, attempts=2) as worker:
        await until(lambda: setup.sandbox.counts.in_flight == 1)
        worker.stop()
        await asyncio.sleep(0.3)
        await setup.publish(*range(2, 12))
        await asyncio.sleep(0.5)
        info = await jetstream_of(setup.connection).consumer_info("RESTREAMS", "restream-workers")
        assert info.delivered is not None
        assert info.delivered.consumer_seq == 1

    assert await documents(setup.connection, "RESTREAMS_DEAD") == []


class PickyClient(RestreamClient):
    """A client for which the first eight restreams always fail."""

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        if int(new.stream_key[-6:]) >= 8:
            return await super().outcome(new, ensure=ensure, recent=recent)
        error = InternalServerError(Call("POST", "/r", new.video_id), status=500)
        return Failed(index=0, request=new, error=error, attempts=5)


async def test_many_failing_messages_delay_others_only_until_they_are_given_up(
    setup: Setup,
) -> None:
    setup.kind = PickyClient
    await setup.publish(*range(10))

    async with setup.worker(concurrency=4, attempts=3):
        under_way, _ = await setup.pending()
        assert under_way <= 8
        # Delays of at most 0.2 and 0.4 seconds, and as much again for a busy machine.
        await stored_count(setup.sandbox, 2, 1.2)
        await all_processed(setup.connection, 5)

    assert len(await documents(setup.connection, "RESTREAMS_DEAD")) == 8


@pytest.mark.parametrize("what", ["consumer", "RESTREAMS", "RESTREAMS_OUTCOMES"])
async def test_a_worker_whose_consumer_or_stream_is_deleted_ends_with_an_error(
    what: str, setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.nats_watch._RECHECK_SECONDS", 0.1)
    jetstream = jetstream_of(setup.connection)
    named = "the consumer restream-workers" if what == "consumer" else f"the stream {what}"
    await setup.publish(1)

    async def work() -> None:
        async with setup.worker(shutdown_timeout=0.5):
            await stored_count(setup.sandbox, 1, 5)
            if what == "consumer":
                await jetstream.delete_consumer("RESTREAMS", "restream-workers")
            else:
                await jetstream.delete_stream(what)
            await until(lambda: "so this worker ends" in caplog.text)

    with pytest.raises(WorkerEndedError, match=f"{named}.* does not exist any more"):
        await work()


async def test_messages_that_a_deleted_consumer_may_have_delivered_are_checked(
    setup: Setup,
) -> None:
    await setup.publish(1, 2)
    async with setup.client() as client:
        await client.create(wanted(1))

    async with setup.worker(check_until=1, trust_stream=True):
        await all_processed(setup.connection, 10)

    assert len(setup.sandbox.stored) == 2
    assert setup.sandbox.counts.lists == 1


async def test_a_worker_that_is_told_to_stop_before_it_starts_stops(
    setup: Setup,
) -> None:
    await setup.publish(1)

    async with setup.worker() as worker:
        worker.stop()

    assert setup.sandbox.counts.posts == 0


async def test_a_message_is_held_until_its_outcome_can_be_published(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    jetstream = jetstream_of(setup.connection)
    config = (await jetstream.stream_info("RESTREAMS_OUTCOMES")).config
    full: StreamConfig = config.evolve(max_bytes=1, discard=DiscardPolicy.NEW)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await jetstream.update_stream(full)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await setup.publish(1)

    async with setup.worker():
        await until(lambda: "an outcome cannot be published yet" in caplog.text)
        await asyncio.sleep(ACK_WAIT)
        await jetstream.update_stream(config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        await all_processed(setup.connection, 10)

    (outcome,) = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (1, "posted")


async def test_a_worker_for_events_ends_when_their_consumer_is_deleted(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.nats_watch._RECHECK_SECONDS", 0.1)
    jetstream = jetstream_of(setup.connection)
    destinations = (Destination(title="t", stream_url="rtmp://h/a", stream_key="SECRET"),)
    await declare_consumer(jetstream, Subjects(), events=True, ack_wait=ACK_WAIT)

    async def work() -> None:
        async with setup.worker(concurrency=1, shutdown_timeout=0.5, destinations=destinations):
            await asyncio.sleep(0.5)
            await jetstream.delete_consumer("RESTREAMS", "restream-workers-events")
            await until(lambda: "so this worker ends" in caplog.text)

    with pytest.raises(WorkerEndedError, match="the consumer restream-workers-events"):
        await work()


@pytest.mark.parametrize("latency", [0.0, 60.0])
async def test_a_worker_that_stops_while_nats_is_away_stops_without_an_error(
    latency: float, setup: Setup, nats_server: NatsServer
) -> None:
    setup.sandbox.latency = latency
    await setup.publish(1)

    async with setup.worker(concurrency=2, shutdown_timeout=0.3, trust_stream=True) as worker:
        await until(lambda: setup.sandbox.counts.posts == 1)
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
    monkeypatch.setattr("restream_async.worker.nats_watch._RECHECK_SECONDS", 0.1)
    setup = Setup(connection, sandbox, nats_server.url)

    with pytest.raises(WorkerEndedError, match="the stream RESTREAMS does not exist any more"):
        async with setup.worker(concurrency=1):
            await until(lambda: "so this worker ends" in caplog.text)


async def test_a_bug_costs_one_delivery_of_one_message_and_not_the_worker(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("restream_async.worker.report_publishing.reports", fail)
        await setup.publish(1)
        async with setup.worker(concurrency=1):
            await until(lambda: "message 1 failed because of a bug" in caplog.text)
            patched.undo()
            await all_processed(setup.connection, 10)

    (outcome,) = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert (outcome["delivery"], outcome["origin"]) == (2, "existing")


async def test_after_the_stream_was_created_again_all_outcomes_are_published_again(
    setup: Setup,
) -> None:
    jetstream = jetstream_of(setup.connection)
    for _ in range(2):
        await setup.publish(1)
        async with setup.worker():
            await all_processed(setup.connection, 10)
        await jetstream.delete_stream("RESTREAMS")
        await declare_streams(jetstream, Subjects())
        await declare_consumer(jetstream, Subjects(), global_concurrency=8, ack_wait=ACK_WAIT)

    outcomes = await documents(setup.connection, "RESTREAMS_OUTCOMES")
    assert [(each["sequence"], each["origin"]) for each in outcomes] == [
        (1, "posted"),
        (1, "existing"),
    ]
    assert len(setup.sandbox.stored) == 1
