"""One attempt and the calls made of attempts: timeouts, the deadline, and what they say."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final
from unittest.mock import ANY, Mock, call

import attrs
import pytest

from restream_async import (
    AttemptTimeoutError,
    BackendFetchFailedError,
    InternalServerError,
    MalformedResponseError,
    RestreamClient,
    RetryPolicy,
    TransportError,
)
from restream_async._http.api import Api
from restream_async._http.messages import NoResponse, Response
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._telemetry import ClientTelemetry
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.client_calls import CALLS, failure_of
from tests.helpers.fast_clock import FastClock
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer, drip, then_hang
from tests.helpers.samples import (
    API_KEY,
    BACKEND_FETCH_FAILED,
    INTERNAL_ERROR,
    as_asked,
    envelope,
    listed,
    many,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from restream_async._http.messages import Request
    from tests.helpers.raw_server import Act, Step

SHORT: Final = 0.12
_HEAD: Final = b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n"
_CHUNKED: Final = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
HANGS: Final[dict[str, Act]] = {
    "before the headers": then_hang(),
    "within the headers": then_hang(b"HTTP/1.1 201 Created\r\nContent-"),
    "within the body": then_hang(_HEAD + b'{"success":'),
    "dripping headers": drip(b"HTTP/1.1 201 Created\r\n", b"X-Drop: 1\r\n"),
    "dripping a body": drip(_HEAD, b" "),
    "dripping chunks": drip(_CHUNKED, b"1\r\n \r\n"),
    "dripping interim answers": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


def as_it_is(result: object) -> object:
    return result


@pytest.mark.parametrize("name", HANGS)
async def test_an_answer_that_does_not_come_ends_the_attempt_in_doubt(name: str) -> None:
    async with (
        RawServer(post=HANGS[name], get=listed()) as server,
        leak_checked_client(server, timeout=SHORT, attempts=2) as client,
    ):
        begun = time.monotonic()
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)
        took = time.monotonic() - begun
        await assert_nothing_left(client)

    assert server.order == "POST GET POST GET"
    assert (error.sent, error.attempts) == (True, 2)
    assert f"no answer within {SHORT:g} s" in str(error)
    assert isinstance(error, TimeoutError)
    assert 2 * SHORT <= took < 20 * SHORT


@pytest.mark.parametrize("name", HANGS)
async def test_a_creation_whose_answer_does_not_come_is_found(name: str) -> None:
    there = listed(on_the_wire(new_restream(), 9))
    async with (
        RawServer(post=HANGS[name], get=there) as server,
        leak_checked_client(server, timeout=SHORT) as client,
    ):
        restream = await client.create(new_restream())

    assert restream.id == 9
    assert server.order == "POST GET"


async def test_an_error_whose_body_does_not_come_is_still_told_by_its_status() -> None:
    hanging = then_hang(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\noo")
    async with (
        RawServer(get=hanging) as server,
        leak_checked_client(server, timeout=SHORT, attempts=1) as client,
    ):
        error = await failure_of(client.list("v1"), InternalServerError)
        await assert_nothing_left(client)

    assert error.status == 500


@pytest.mark.parametrize("call", CALLS)
async def test_each_call_has_the_time_out(call: str) -> None:
    hang = then_hang()
    async with (
        RawServer(post=hang, get=hang, put=hang, delete=hang) as server,
        leak_checked_client(server, timeout=SHORT, attempts=1, in_doubt="resend") as client,
    ):
        error = await failure_of(CALLS[call](client), AttemptTimeoutError)
        await assert_nothing_left(client)

    assert error.sent is True
    assert ("was not sent again" in str(error)) is (call == "toggle")


async def test_a_connection_that_does_not_come_about_was_not_sent(full_port: int) -> None:
    base_url = f"http://127.0.0.1:{full_port}"
    async with leak_checked_client(
        RawServer(), base_url=base_url, timeout=SHORT, attempts=3
    ) as client:
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)
        await assert_nothing_left(client)

    # Had it been in doubt, the look would have failed as well: OutcomeUnknownError.
    assert (error.sent, error.attempts) == (False, 3)
    assert f"no connection within {SHORT:g} s" in str(error)


async def test_a_get_without_a_connection_was_not_sent_either(full_port: int) -> None:
    base_url = f"http://127.0.0.1:{full_port}"
    async with leak_checked_client(
        RawServer(), base_url=base_url, timeout=SHORT, attempts=1
    ) as client:
        error = await failure_of(client.list("v1"), AttemptTimeoutError)
        reached = client.stats().reached

    assert (error.sent, reached) == (False, False)
    assert f"no connection within {SHORT:g} s" in str(error)


async def test_a_get_that_got_its_connection_has_reached_the_service() -> None:
    async with (
        RawServer(get=then_hang()) as server,
        leak_checked_client(server, timeout=SHORT, attempts=1) as client,
    ):
        error = await failure_of(client.list("v1"), AttemptTimeoutError)
        reached = client.stats().reached

    assert (error.sent, reached) == (True, True)
    assert f"no answer within {SHORT:g} s" in str(error)


async def test_a_tls_handshake_that_does_not_end_was_not_sent() -> None:
    async with RawServer() as server:
        base_url = f"https://127.0.0.1:{server.port}"
        async with leak_checked_client(
            server, base_url=base_url, timeout=SHORT, attempts=2
        ) as client:
            error = await failure_of(client.toggle(7), AttemptTimeoutError)
            await assert_nothing_left(client)

    # Sent twice, although it is a toggle.
    assert (error.sent, error.attempts) == (False, 2)
    assert len(server.peers) == 2


async def test_waiting_for_a_slot_is_not_counted_against_the_time_out() -> None:
    async with (
        Sandbox(latency=0.05) as sandbox,
        leak_checked_client(sandbox, max_in_flight=1, timeout=0.2, attempts=1) as client,
    ):
        restreams = await asyncio.gather(*map(client.create, many(6)))

    assert len(restreams) == 6
    assert sandbox.counts.max_in_flight == 1


async def test_waiting_for_a_slot_ends_at_the_deadline(clock: FastClock) -> None:
    """A place is free for the first attempt, but taken when the second one is due."""
    holders: list[asyncio.Task[object]] = []

    async def take_the_slot() -> None:
        holders.append(asyncio.create_task(CALLS["create"](client)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await server.arrived(2)
        clock.time = 1000.0 + 120.0 - SHORT

    clock.meanwhile = take_the_slot
    async with (
        RawServer(post=then_hang(), get=INTERNAL_ERROR) as server,
        leak_checked_client(server, clock=clock, max_in_flight=1) as client,
    ):
        begun = time.monotonic()
        error = await failure_of(client.list("v1"), AttemptTimeoutError)
        took = time.monotonic() - begun
        holders[0].cancel()
        await asyncio.gather(*holders, return_exceptions=True)

    assert "no free place among 1 in flight before the deadline" in str(error)
    assert (error.sent, error.attempts) == (False, 2)
    assert server.order == "GET POST"
    assert took < 20 * SHORT


async def test_a_slot_that_does_not_come_in_time_was_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same once more without a cancellation, behind which Python 3.11 traces no lines."""

    async def too_late(*_: object, patient: bool, ahead: bool) -> None:
        assert patient, "as long as the service has never answered"
        assert not ahead, "nothing was checked"
        raise TimeoutError

    monkeypatch.setattr(ConcurrencyLimiter, "try_acquire", lambda _: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(ConcurrencyLimiter, "acquire", too_late)
    async with leak_checked_client(
        RawServer(), base_url="https://api.example.com", attempts=1
    ) as client:
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)

    assert "no free place among 0 in flight before the deadline" in str(error)
    assert error.sent is False


async def test_one_deadline_covers_all_attempts_and_sleeps() -> None:
    clock = FastClock()
    policy = RetryPolicy(attempts=100, base=10.0, cap=10.0, deadline=35.0)
    async with (
        RawServer(get=INTERNAL_ERROR) as server,
        leak_checked_client(server, clock=clock, retry=policy) as client,
    ):
        error = await failure_of(client.list("v1"), InternalServerError)

    # A fourth sleep would have passed it.
    assert clock.sleeps == [10.0, 10.0, 10.0]
    assert error.attempts == server.counts["GET"] == 4


async def test_no_sleep_begins_that_would_pass_the_deadline() -> None:
    clock = FastClock(0.0)
    async with (
        RawServer(get=BACKEND_FETCH_FAILED) as server,
        leak_checked_client(server, clock=clock, deadline=4.0) as client,
    ):
        error = await failure_of(client.list("v1"), BackendFetchFailedError)

    assert (clock.sleeps, error.attempts) == ([], 1)


async def test_the_last_attempt_is_cut_at_the_deadline() -> None:
    policy = RetryPolicy(attempts=9, base=30.0, cap=30.0, deadline=30.0 + SHORT)
    async with (
        RawServer(get=[INTERNAL_ERROR, then_hang()]) as server,
        leak_checked_client(server, retry=policy, timeout=5.0) as client,
    ):
        begun = time.monotonic()
        error = await failure_of(client.list("v1"), AttemptTimeoutError)
        took = time.monotonic() - begun

    assert error.attempts == server.counts["GET"] == 2
    assert took < 20 * SHORT


async def test_the_deadline_of_a_creation_covers_its_checks() -> None:
    policy = RetryPolicy(attempts=9, base=10.0, cap=10.0, deadline=25.0)
    clock = FastClock()
    async with (
        RawServer(post=INTERNAL_ERROR, get=BACKEND_FETCH_FAILED) as server,
        leak_checked_client(server, clock=clock, retry=policy, in_doubt="raise") as client,
    ):
        with pytest.raises(Exception, match="it is unknown"):
            await client.create(new_restream())

    # 10 s before the look; 15 s after the look's first failure would reach the deadline.
    assert clock.sleeps == [10.0]
    assert server.order == "POST GET"


async def test_nothing_is_sent_when_a_check_took_all_the_time_there_was() -> None:
    """A POST without time for its answer would only leave another doubt behind."""
    post: list[Step] = [as_asked, as_asked, INTERNAL_ERROR, as_asked]
    policy = RetryPolicy(base=0.001, deadline=0.1)
    async with (
        RawServer(post=post, get=[then_hang(), listed()]) as server,
        leak_checked_client(server, clock=Clock(), retry=policy) as client,
    ):
        # A second connection lies in the pool: sending would take no time at all.
        await asyncio.gather(*map(client.create, many(2)))
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)

    assert server.order == "POST POST POST GET GET"
    assert error.sent is False
    assert "too little time was left before the deadline" in str(error)


@pytest.mark.parametrize(
    ("idle", "remaining", "sent"),
    [(0.0, 0.0009, 0), (0.0, 0.001, 1), (0.5, 0.49, 0), (0.5, 0.5, 1)],
)
async def test_nothing_is_sent_without_time_for_an_answer_under_little_load(
    idle: float, remaining: float, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def idle_latency(*_: object) -> float:
        return idle

    monkeypatch.setattr(ConcurrencyLimiter, "idle_latency", idle_latency)
    backend = Backend()
    client = in_memory_client(backend)
    telemetry = Mock(ClientTelemetry)
    executor = attrs.evolve(client.executor, telemetry=telemetry)
    deadline, request = Deadline(lambda: 0.0, remaining), client.api.list("v1")
    after = TransportError(request.call, detail="lost", sent=True, attempts=1)
    await executor.attempt(request, as_it_is, deadline, after=after)
    assert (backend.count("GET"), executor.limiter.in_flight) == (sent, 0)
    assert (executor.counts.attempts, executor.counts.retries) == (sent, sent)
    assert telemetry.retried.mock_calls == [call(after)] * sent
    assert telemetry.attempt.mock_calls[:1] == [call("GET", 1)] * sent
    assert request.again is bool(sent)


@pytest.mark.parametrize(
    ("timeout", "remaining", "counts"),
    [(30.0, 2.9, False), (30.0, 3.1, True), (2.0, 2.0, True)],
    ids=["cut off early", "cut off late", "its own timeout"],
)
async def test_an_attempt_that_its_deadline_cuts_off_early_says_nothing_about_the_service(
    timeout: float,  # noqa: ASYNC109 - handed on
    remaining: float,
    counts: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FastClock()

    class Silent:
        closed_reason = ""

        async def send(self, request: Request, timeout: float) -> NoResponse:  # noqa: ASYNC109 - of the interface
            request.sent = True
            await clock.sleep(timeout)
            return NoResponse(detail="no answer", sent=True, timed_out=True)

    monkeypatch.setattr(ConcurrencyLimiter, "idle_latency", Mock(return_value=1.0))
    executor = RequestExecutor.adaptive(
        Silent(),
        ceiling=8,
        patience=300.0,
        policy=RetryPolicy(),
        clock=clock.as_clock(),
        timeout=timeout,
    )
    await executor.attempt(Api("p1").list("v1"), as_it_is, Deadline(clock.now, remaining))
    assert executor.limiter.in_flight == 0
    assert (executor.limiter.last is not None) is counts


async def test_real_time_is_used_if_no_clock_is_handed_in() -> None:
    async with (
        RawServer(get=[INTERNAL_ERROR, listed()]) as server,
        RestreamClient(
            base_url=server.base_url,
            project_id="p1",
            api_key=API_KEY,
            retry=RetryPolicy(base=0.001, cap=0.001),
        ) as client,
    ):
        assert await client.list("v1") == []
        await assert_nothing_left(client)


async def test_a_time_out_outside_cancels_the_call() -> None:
    async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(client.create(new_restream()), SHORT)
        await assert_nothing_left(client)

    assert not isinstance(caught.value, TransportError | MalformedResponseError)
    assert server.counts == {"POST": 1}


@pytest.mark.parametrize(("fate", "overtaken"), [(Fate.UNSENT, True), (Fate.LOST_BEFORE, False)])
async def test_what_did_not_connect_while_others_succeeded_was_overtaken(
    fate: Fate,
    overtaken: bool,  # noqa: FBT001 - a parameter
) -> None:
    class Busy(Backend):
        async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
            await executor.clock.sleep(0.1)
            if others_succeed:
                executor.limiter.succeeded()
            return await super().send(request, timeout)

    backend = Busy()
    backend.meets("GET", fate, fate)
    client = in_memory_client(backend)
    executor, request = client.executor, client.api.list("v1")
    others_succeed = False
    alone = await executor.attempt(request, as_it_is, executor.begin_call())
    others_succeed = True
    beside_another = await executor.attempt(request, as_it_is, executor.begin_call())

    assert isinstance(alone, Failure)
    assert isinstance(beside_another, Failure)
    assert (alone.overtaken, beside_another.overtaken) == (False, overtaken)


async def test_a_refusal_shows_that_the_service_works() -> None:
    backend = Backend()
    backend.meets("GET", Fate.LOST_BEFORE, Fate.REFUSED)
    client = in_memory_client(backend)
    executor, request = client.executor, client.api.list("v1")
    for is_failing in (True, False):
        await executor.attempt(request, as_it_is, executor.begin_call())
        assert (executor.limiter.last is not None) is is_failing


class Scripted:
    """An executor of one answer, which takes a second. Its limiter notes what it is told."""

    def __init__(self, answer: Response | NoResponse | BaseException, *, sent: bool = True) -> None:
        self.clock = FastClock()
        self.limiter = Mock(ConcurrencyLimiter, state="closed", outage_seconds=lambda: 0.0)
        self.limiter.idle_latency.return_value = 0.0
        self.limiter.succeeded_since.side_effect = self._is_past
        self.telemetry = Mock(ClientTelemetry)
        self.request = Api("p1").list("v1")
        self.closed_reason = ""
        self._answer = answer
        self._sent = sent
        self.executor = RequestExecutor(
            transport=self,
            limiter=self.limiter,
            policy=RetryPolicy(),
            clock=self.clock.as_clock(),
            timeout=30.0,
            telemetry=self.telemetry,
        )

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ARG002, ASYNC109 - of the interface
        request.sent = self._sent
        await self.clock.sleep(1.0)
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    def _is_past(self, moment: float) -> bool:
        return moment < self.clock.time

    async def attempt(self, deadline: Deadline | None = None) -> object:
        deadline = deadline if deadline is not None else self.executor.begin_call()
        return await self.executor.attempt(self.request, as_it_is, deadline)


@pytest.mark.parametrize(
    ("answer", "told", "signal", "kind"),
    [
        (Response(200, body=envelope([])), call.succeeded(), Signal.GOOD, "GET"),
        (Response(400), call.succeeded(), Signal.GOOD, ""),
        (Response(500), call.failed(ANY, connected=True, latency=1.0), Signal.GOOD, ""),
        (Response(503), call.failed(ANY, connected=True, latency=1.0), Signal.SHED, "GET"),
        (Response(429), call.failed(ANY, connected=True, latency=1.0), Signal.LIMITED, ""),
        (
            NoResponse(detail="refused", sent=False),
            call.failed(ANY, connected=False, latency=1.0),
            None,
            "",
        ),
        (NoResponse(detail="closed", sent=False, closed=True), call.note(ANY), None, ""),
        (NoResponse(detail="expired", sent=False, untrusted=True), call.note(ANY), None, ""),
    ],
    ids=["success", "400", "500", "503", "429", "no connection", "closed", "certificate"],
)
async def test_the_limiter_is_told_what_an_attempt_says_about_the_service(
    answer: Response | NoResponse, told: object, signal: Signal | None, kind: str
) -> None:
    scripted = Scripted(answer)
    result = await scripted.attempt()
    *_, noted, released = scripted.limiter.mock_calls
    assert noted == told
    assert released.args[:4] == (signal, 1.0, kind, 1000.0)
    assert scripted.telemetry.attempt.mock_calls[0] == call("GET", 0)
    failed = [result.error] if isinstance(result, Failure) else []
    ended = scripted.telemetry.attempt.return_value.ended
    assert ended.mock_calls == [call(answer.status, *failed)]


async def test_the_limiter_is_told_how_long_the_service_asks_to_wait() -> None:
    scripted = Scripted(Response(503, headers={"Retry-After": "7"}))
    await scripted.attempt()
    scripted.limiter.release.assert_called_once_with(Signal.SHED, 1.0, "GET", 1000.0, 7.0)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("sent", [False, True])
async def test_a_cancelled_attempt_is_in_doubt_if_it_was_sent_and_says_nothing_about_the_load(
    *, sent: bool, before: bool
) -> None:
    error = asyncio.CancelledError()
    scripted = Scripted(error, sent=sent)
    deadline = scripted.executor.begin_call()
    deadline.in_doubt = before
    with pytest.raises(asyncio.CancelledError):
        await scripted.attempt(deadline)
    assert deadline.in_doubt is (before or sent)
    assert scripted.limiter.mock_calls[-1] == call.release(latency=1.0, started=1000.0)
    assert scripted.telemetry.attempt.return_value.ended.mock_calls == [call(0, error)]


@pytest.mark.parametrize(
    ("status", "sent", "in_doubt"), [(503, True, True), (503, False, False), (429, True, False)]
)
async def test_a_failed_attempt_is_in_doubt_if_it_was_sent_and_may_have_taken_effect(
    *, status: int, sent: bool, in_doubt: bool
) -> None:
    scripted = Scripted(Response(status), sent=sent)
    deadline = scripted.executor.begin_call()
    await scripted.attempt(deadline)
    assert deadline.in_doubt is in_doubt


async def test_429s_of_a_call_that_is_singled_out_are_no_rate_limit() -> None:
    scripted = Scripted(Response(429))
    deadline = scripted.executor.begin_call()
    for _ in range(8):
        await scripted.attempt(deadline)
    signals = [released.args[0] for released in scripted.limiter.release.mock_calls]
    assert signals == [Signal.LIMITED] * 6 + [Signal.GOOD] * 2
    asked = [each.args[0] for each in scripted.limiter.succeeded_since.mock_calls]
    assert asked == [math.inf, *(1000.0 + number for number in range(7))]


@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("patient", [False, True])
async def test_only_a_call_of_a_run_gets_the_time_back_that_it_waited_for_a_slot(
    *, patient: bool, reached: bool
) -> None:
    async def wait(**_: object) -> None:
        await scripted.clock.sleep(9.0)

    scripted = Scripted(Response(500))
    executor, limiter = scripted.executor, scripted.limiter
    limiter.try_acquire.return_value = False
    limiter.acquire.side_effect = wait
    limiter.reached = reached
    deadline = executor.begin_patient_call() if patient else executor.begin_call()
    await scripted.attempt(deadline)
    assert deadline.remaining() == 120.0 - 1.0 - (0.0 if patient else 9.0)
    limiter.acquire.assert_called_once_with(patient=patient or not reached, ahead=False)


async def test_between_its_attempts_a_call_leaves_its_slot_to_others() -> None:
    scripted = Scripted(Response(500))
    scripted.executor.retries(scripted.executor.begin_call())
    scripted.limiter.notify_slot_listeners.assert_called_once_with()
