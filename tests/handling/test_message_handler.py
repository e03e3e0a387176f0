"""What becomes of a message, decided without a broker."""

import json
import logging
from collections.abc import Callable

import attrs
import pytest

from restream_async import (
    BackendFetchFailedError,
    BadRequestError,
    Created,
    Failed,
    ForbiddenError,
    NewRestream,
    NotFoundError,
    OutageError,
    Outcome,
    Restream,
    RestreamError,
    RetryPolicy,
    UnauthorizedError,
)
from restream_async.errors import (
    ApiError,
    Call,
    CertificateError,
    ClientClosedError,
    NotSentError,
    ProxyError,
)
from restream_async.handling.command_messages import MAX_BYTES, MAX_RESTREAMS, Unusable, encode
from restream_async.handling.message_handler import Handled, HoldLog, MessageHandler
from restream_async.handling.redelivery import MOST_DELIVERIES
from restream_async.handling.redelivery import REDELIVERY as DEFAULT
from restream_async.stats import Stats
from tests.helpers.examples import to_json_fields

CALL = Call("POST", "/api/v1/p/restreams", "v1")
UNAVAILABLE = BackendFetchFailedError(CALL, status=503, retry_after=5.0)
REDELIVERY = RetryPolicy(attempts=3, base=2.0, cap=30.0)


def new(number: int = 1) -> NewRestream:
    return NewRestream(
        video_id=f"v{number}",
        title="YouTube",
        stream_url="rtmps://a.example.com/live2",
        stream_key=f"secret-key-{number}",
        status=True,
    )


@attrs.define
class FakeClient:
    """Fails with the given errors, one after the other, and then succeeds."""

    failures: list[RestreamError] = attrs.field(factory=list[RestreamError])
    calls: list[str] = attrs.field(factory=list[str])
    outage: bool = False

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        check = ("recent" if recent else "fresh") if ensure else "no"
        self.calls.append(f"{check} check, {new.video_id}")
        if self.failures:
            return Failed(index=0, request=new, error=self.failures.pop(0), attempts=5)
        restream = Restream(
            id=len(self.calls),
            title=new.title,
            stream_key=new.stream_key,
            stream_url=new.stream_url,
            status=new.status,
            video_id=new.video_id,
        )
        return Created(index=0, request=new, restream=restream, attempts=1)

    def stats(self) -> Stats:
        return Stats(
            in_flight=0,
            limit=1,
            waiting=0,
            attempts=0,
            retries=0,
            budget_left=1,
            state="open" if self.outage else "closed",
            last_error="503 Backend fetch failed",
        )


@attrs.define
class Setup:
    client: FakeClient
    slept: list[float] = attrs.field(factory=list[float])
    after_sleep: Callable[[], None] | None = None
    stopping: bool = False
    trust_stream: bool = False
    error_text: Callable[[RestreamError], str] = str
    hold_log: HoldLog = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.hold_log = HoldLog(now=lambda: sum(self.slept))

    @property
    def handler(self) -> MessageHandler:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            if self.after_sleep is not None:
                self.after_sleep()

        return MessageHandler(
            self.client,
            redelivery=REDELIVERY,
            trust_stream=self.trust_stream,
            stopping=lambda: self.stopping,
            hold_log=self.hold_log,
            error_text=self.error_text,
            sleep=sleep,
            random=lambda: 0.5,
        )

    async def handle(self, data: bytes, delivery: int = 1, *, check_first: bool = False) -> Handled:
        return await self.handler.handle(data, delivery, check_first=check_first)


def handler_with(*failures: RestreamError) -> Setup:
    return Setup(FakeClient(list(failures)))


async def test_a_handler_needs_a_client_only() -> None:
    handled = await MessageHandler(FakeClient()).handle(encode(new()), delivery=1)

    assert handled.verdict == "done"


async def test_deliveries_are_counted_from_1() -> None:
    with pytest.raises(ValueError, match="delivery must be 1 or more, not 0: brokers may count"):
        await handler_with().handle(encode(new()), 0)


async def test_a_first_delivery_is_checked_against_a_recent_list() -> None:
    setup = handler_with()

    handled = await setup.handle(encode(new()))

    assert setup.client.calls == ["recent check, v1"]
    assert handled.verdict == "done"
    assert [each.restream.id for each in handled.done] == [1]


async def test_a_first_delivery_is_created_without_a_check_if_the_stream_is_trusted() -> None:
    setup = handler_with()
    setup.trust_stream = True

    await setup.handle(encode(new()))

    assert setup.client.calls == ["no check, v1"]


@pytest.mark.parametrize("trust_stream", [False, True])
@pytest.mark.parametrize(("delivery", "check_first"), [(2, False), (1, True)])
async def test_a_restream_that_may_have_been_tried_is_checked_against_a_fresh_list(
    delivery: int,
    check_first: bool,  # noqa: FBT001 - a parameter of the test
    trust_stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    setup = handler_with()
    setup.trust_stream = trust_stream

    await setup.handle(encode(new()), delivery, check_first=check_first)

    assert setup.client.calls == ["fresh check, v1"]


@pytest.mark.parametrize("trust_stream", [False, True])
async def test_a_restream_tried_before_an_outage_is_checked_against_a_fresh_list_after_it(
    trust_stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    setup = handler_with(OutageError(CALL))
    setup.trust_stream = trust_stream

    await setup.handle(encode(new()))

    assert setup.client.calls[1:] == ["fresh check, v1"]


async def test_the_restreams_of_a_list_are_created_one_after_the_other() -> None:
    setup = handler_with()

    handled = await setup.handle(encode([new(1), new(2)]))

    assert setup.client.calls == ["recent check, v1", "recent check, v2"]
    assert [each.index for each in handled.done] == [0, 1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"no JSON", "it is not JSON at position 0"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"7", "it is not an object with the fields of a restream"),
        (b"[]", "it is an empty list"),
        (b'{"videoId": "v1"}', "title is missing"),
        (encode(new()).replace(b"true", b'"yes"'), "status must be true or false, not a string"),
        (encode(new()).replace(b"rtmps", b""), "streamUrl must have a scheme and a host"),
        (b" " * (MAX_BYTES + 1), "it is too large: 1,048,577 bytes, at most 1,048,576 are allowed"),
        (
            b"[" + b"1," * MAX_RESTREAMS + b"1]",
            "it is too long: 1,001 restreams, at most 1,000 are allowed",
        ),
    ],
)
async def test_an_unreadable_message_is_never_tried(data: bytes, reason: str) -> None:
    setup = handler_with()

    handled = await setup.handle(data)

    assert handled.verdict == "dead"
    assert [each.reason.startswith(reason) for each in handled.dead] == [True]
    assert setup.client.calls == []


async def test_no_reason_repeats_a_value() -> None:
    fields = {**to_json_fields(new()), "title": "secret-key-1\n", "streamUrl": "secret-url"}

    handled = await handler_with().handle(json.dumps(fields).encode())

    assert "secret" not in str(handled.dead[0])


@pytest.mark.parametrize(
    ("changes", "video_id", "title"),
    [
        ({"status": None}, "v1", "YouTube"),
        ({"videoId": 7}, "", "YouTube"),
        ({"title": ["YouTube"]}, "v1", ""),
        ({"streamKey": 1234567, "title": "with 1234567"}, "v1", "with ***"),
        ({"stream_key": "misspelt", "streamKey": None, "title": "misspelt"}, "v1", "***"),
        ({"streamUrl": "//a/hidden-part", "title": "my hidden-part"}, "v1", "my ***"),
    ],
)
async def test_an_unreadable_item_keeps_its_readable_parts(
    changes: dict[str, object], video_id: str, title: str
) -> None:
    setup = handler_with()

    handled = await setup.handle(json.dumps({**to_json_fields(new()), **changes}).encode())

    item = handled.dead[0].item
    assert isinstance(item, Unusable)
    assert (item.video_id, item.title) == (video_id, title)
    assert setup.client.calls == []


async def test_an_unreadable_item_does_not_stop_the_others_of_its_list() -> None:
    setup = handler_with(BadRequestError(CALL, status=400))
    data = b"[" + encode(new(1)) + b",7," + encode(new(2)) + b"]"

    handled = await setup.handle(data)

    assert setup.client.calls == ["recent check, v1", "recent check, v2"]
    assert handled.verdict == "dead"
    assert [each.index for each in handled.done] == [2]
    assert [each.index for each in handled.dead] == [0, 1]


async def test_a_refused_restream_is_never_tried_again() -> None:
    handled = await handler_with(BadRequestError(CALL, status=400, reason="Bad")).handle(
        encode(new())
    )

    assert handled.verdict == "dead"
    assert handled.dead[0].reason.startswith("400 Bad")


async def test_a_temporary_failure_is_delivered_again_after_the_delay_of_the_policy() -> None:
    setup = handler_with(ApiError(CALL, status=500), ApiError(CALL, status=500))

    first = await setup.handle(encode(new()), 1)
    second = await setup.handle(encode(new()), 2)

    assert (first.verdict, first.delay, second.delay) == ("retry", 1.0, 2.0)


async def test_retry_after_is_the_shortest_delay() -> None:
    handled = await handler_with(UNAVAILABLE).handle(encode(new()))

    assert handled.delay == 6.0


async def test_at_the_last_delivery_a_failing_message_is_given_up() -> None:
    handled = await handler_with(UNAVAILABLE).handle(encode(new()), 3)

    assert handled.verdict == "dead"
    assert handled.dead[0].reason.startswith("given up after 3 deliveries: 503")


@pytest.mark.parametrize("kind", [ClientClosedError, NotSentError])
async def test_a_client_that_drains_or_is_closed_makes_no_dead_letters(
    kind: type[ClientClosedError | NotSentError],
) -> None:
    handled = await handler_with(kind(CALL, detail="no", sent=False)).handle(encode(new()), 9)

    assert handled.verdict == "retry"


async def test_a_failure_while_the_consumer_stops_makes_no_dead_letter() -> None:
    setup = handler_with()

    class StoppedMeanwhile(FakeClient):
        async def outcome(
            self, new: NewRestream, *, ensure: bool = False, recent: bool = False
        ) -> Outcome:
            setup.stopping = True
            return await super().outcome(new, ensure=ensure, recent=recent)

    setup.client = StoppedMeanwhile([UNAVAILABLE])

    assert (await setup.handle(encode(new()), 9)).verdict == "retry"


async def test_deliveries_to_workers_that_stopped_are_not_failures() -> None:
    setup = handler_with()

    handled = await setup.handle(encode(new()), MOST_DELIVERIES)

    assert handled.verdict == "done"
    assert setup.client.calls == ["fresh check, v1"]


async def test_a_message_that_kills_workers_is_not_tried_again() -> None:
    setup = handler_with()

    handled = await setup.handle(encode(new()), MOST_DELIVERIES + 1)

    assert handled.verdict == "dead"
    assert handled.dead[0].item == new()
    assert setup.client.calls == []


@pytest.mark.parametrize(("delivery", "verdict"), [(40, "retry"), (50, "dead")])
async def test_a_policy_of_many_deliveries_gets_all_of_them(delivery: int, verdict: str) -> None:
    handler = MessageHandler(FakeClient([UNAVAILABLE]), redelivery=RetryPolicy(attempts=50))

    handled = await handler.handle(encode(new()), delivery)

    assert handled.verdict == verdict
    assert [each.failed is not None for each in handled.dead] == [True] * (verdict == "dead")


@pytest.mark.parametrize("error", [OutageError(CALL), UNAVAILABLE])
async def test_in_an_outage_a_message_is_held_until_the_service_is_back(
    error: RestreamError,
) -> None:
    setup = handler_with(*[error] * 50)
    setup.client.outage = True

    handled = await setup.handle(encode(new()), 3)

    assert handled.verdict == "done"
    assert setup.client.calls == ["fresh check, v1"] * 51
    assert len(setup.slept) == 50


@pytest.mark.parametrize("kind", [CertificateError, ProxyError])
async def test_an_unreachable_service_gives_up_no_message(
    kind: type[CertificateError | ProxyError],
) -> None:
    setup = handler_with(*[kind(CALL, detail="no", sent=False)] * 50)

    handled = await setup.handle(encode(new()), DEFAULT.attempts)

    assert handled.verdict == "done"
    assert len(setup.slept) == 50


@pytest.mark.parametrize(
    "error",
    [
        UnauthorizedError(CALL, status=401),
        ForbiddenError(Call("GET", "/api/v1/p/live-video/v1/restreams", "v1"), status=403),
    ],
)
async def test_a_refused_key_gives_up_no_message(error: RestreamError) -> None:
    setup = handler_with(error)

    handled = await setup.handle(encode(new()), 3)

    assert handled.verdict == "done"
    assert setup.slept == [15.0]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OutageError(CALL), "the service cannot be reached, so this worker holds its messages: "),
        (UnauthorizedError(CALL, status=401), "the service refuses the API key, so this worker "),
    ],
)
async def test_a_worker_logs_why_it_holds_messages_at_once_and_every_minute_and_when_it_goes_on(
    error: RestreamError, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    setup = handler_with(*[error] * 9)

    for number in range(3):
        await setup.handle(encode(new(number)))

    *held, goes_on = caplog.messages
    assert all(text.startswith(why) for text in held)
    assert len(held) == 1 + sum(setup.slept) // 60
    assert goes_on == "this worker goes on: the service answers again"


async def test_log_and_reasons_use_the_given_error_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    setup = handler_with(
        UnauthorizedError(CALL, status=401, note="check api_key"),
        NotFoundError(CALL, status=404, note="check base_url"),
        ApiError(CALL, status=502, note="check base_url"),
        ApiError(CALL, status=502, note="check base_url"),
    )
    setup.error_text = lambda error: f"in other words: {type(error).__name__}"

    dead = await setup.handle(encode(new()))
    again = await setup.handle(encode(new()), 1)
    given_up = await setup.handle(encode(new()), 3)

    assert caplog.messages[0].endswith("holds its messages: in other words: UnauthorizedError")
    assert dead.dead[0].reason == "in other words: NotFoundError"
    assert again.reason == "in other words: ApiError"
    assert given_up.dead[0].reason == "given up after 3 deliveries: in other words: ApiError"


async def test_a_restream_that_the_key_may_not_create_is_never_tried_again() -> None:
    setup = handler_with(ForbiddenError(CALL, status=403))

    assert (await setup.handle(encode(new()))).verdict == "dead"


async def test_in_an_outage_a_permanent_failure_is_still_permanent() -> None:
    setup = handler_with(BadRequestError(CALL, status=400))
    setup.client.outage = True

    assert (await setup.handle(encode(new()))).verdict == "dead"


async def test_a_worker_that_stops_gives_back_its_messages() -> None:
    setup = handler_with(*[OutageError(CALL)] * 50)

    def end() -> None:
        setup.stopping = True

    setup.after_sleep = end

    handled = await setup.handle(encode([new(1), new(2)]))

    assert (handled.verdict, handled.delay) == ("retry", 0.0)
    assert setup.client.calls == ["recent check, v1"]
