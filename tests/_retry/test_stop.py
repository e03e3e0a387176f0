"""A call that is stopped: every wait ends at once, and nothing is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from restream_async import (
    AttemptTimeoutError,
    BackendFetchFailedError,
    NotSentError,
    OutcomeUnknownError,
    TransportError,
)
from restream_async._http import list_response
from restream_async._operations.create_options import CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async._operations.delete import delete
from restream_async._retry.classification import Failure, value_or_raise
from restream_async._retry.deadline import Stop
from restream_async.settings import InDoubt
from tests.helpers.simulated_service import Service, SimulatedClient, simulated_client, wanted
from tests.helpers.simulated_time import now, simulated

_End = CreateSucceeded | CreateFailed


async def begun(
    client: SimulatedClient, stop: Stop, count: int = 1, options: CreateOptions | None = None
) -> list["asyncio.Task[_End]"]:
    """Begin so many creations, and wait for 10 s."""
    options = options if options is not None else CreateOptions()
    tasks = [
        asyncio.create_task(
            client.creator.create(new, client.executor.begin_patient_call(stop), options)
        )
        for new in wanted(count)
    ]
    await asyncio.sleep(10)
    return tasks


async def ended(
    tasks: Sequence["asyncio.Task[_End]"], stop: Stop, *, within: float = 0.0
) -> list[Exception | None]:
    """Tell them to end; return the errors with which they do, within so many seconds."""
    start = now()
    stop.request()
    ends = await asyncio.gather(*tasks)
    assert now() - start <= within
    return [end.error if isinstance(end, CreateFailed) else None for end in ends]


class TestWaiting:
    """The wait itself."""

    @simulated
    async def test_what_comes_is_returned(self) -> None:
        assert await Stop().wait_for(asyncio.sleep(3, "here"), 4) == "here"
        assert now() == 3

    @simulated
    async def test_it_ends_when_the_time_is_over(self) -> None:
        with pytest.raises(TimeoutError):
            await Stop().wait_for(asyncio.sleep(3), 2)
        assert now() == 2

    @simulated
    async def test_all_waits_end_when_they_are_told_to(self) -> None:
        stop = Stop()
        waits = [asyncio.create_task(stop.wait_for(asyncio.sleep(99), t)) for t in (None, 50)]
        asyncio.get_running_loop().call_later(7, stop.request)
        ends = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(end) for end in ends] == [TimeoutError] * 2
        assert now() == 7

    @simulated
    async def test_nothing_waits_after_the_stop(self) -> None:
        stop = Stop()
        stop.request()
        await stop.pause(asyncio.sleep(99))
        with pytest.raises(TimeoutError):
            await stop.wait_for(asyncio.Event().wait())
        assert now() == 0

    @simulated
    async def test_one_that_ends_in_the_same_moment_is_left_alone(self) -> None:
        stop = Stop()
        waiting = asyncio.create_task(stop.wait_for(asyncio.sleep(99), 2))
        await asyncio.sleep(0)
        # After the timer of the wait, and before the task that waits.
        loop, complaints = asyncio.get_running_loop(), list[object]()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        loop.call_at(2, stop.request)
        with pytest.raises(TimeoutError):
            await waiting
        assert stop.requested
        assert complaints == []

    @simulated
    async def test_a_cancellation_is_no_end_in_time(self) -> None:
        waiting = asyncio.create_task(Stop().pause(asyncio.sleep(99)))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


class TestNotSent:
    """What was certainly not done says so."""

    @simulated
    async def test_a_call_that_begins_after_it_sends_nothing(self) -> None:
        service, stop = Service(), Stop()
        async with simulated_client(service) as client:
            stop.request()
            [error] = await ended(await begun(client, stop), stop)
            request = client.api.list("v1")
            listed = await client.executor.send_with_retries(
                request, list_response.read_restreams, client.executor.begin_call(stop)
            )
            with pytest.raises(NotSentError, match="0 attempts"):
                value_or_raise(listed)
        assert isinstance(error, NotSentError)
        assert str(error) == (
            "stopped before it was sent: POST /api/v1/p1/restreams (video 'v0'), 0 attempts"
        )
        assert service.sent == []

    @simulated
    async def test_a_call_that_has_its_slot_sends_nothing_either(self) -> None:
        service, stop = Service(), Stop()
        async with simulated_client(service) as client:
            stop.request()
            assert client.executor.limiter.try_acquire()
            [error] = await ended(await begun(client, stop, 1, CreateOptions(has_slot=True)), stop)
            assert client.executor.limiter.in_flight == 0
        assert isinstance(error, NotSentError)
        assert service.sent == []

    @simulated
    async def test_waiting_for_a_slot_ends(self) -> None:
        service, stop = Service(hanging=True), Stop()
        async with simulated_client(service, ceiling=8, timeout=30) as client:
            others = await begun(client, Stop(), 8)
            waiting = asyncio.create_task(
                client.creator.create(list(wanted(9))[8], client.executor.begin_patient_call(stop))
            )
            await asyncio.sleep(1)
            assert client.executor.limiter.waiting == 1
            [error] = await ended([waiting], stop)
            assert client.executor.limiter.waiting == 0
            for other in others:
                other.cancel()
            await asyncio.wait(others)
        assert isinstance(error, NotSentError)

    @simulated
    async def test_waiting_for_a_retry_ends(self) -> None:
        service, stop = Service(limited=True, retry_after="60"), Stop()
        async with simulated_client(service) as client:
            tasks = await begun(client, stop, 2)
            assert client.executor.limiter.in_flight == 0
            sent = len(service.sent)
            errors = await ended(tasks, stop)
        assert [type(error) for error in errors] == [NotSentError] * 2
        assert all("stopped before it was sent again" in str(error) for error in errors)
        assert len(service.sent) == sent

    @simulated
    async def test_waiting_for_the_retry_budget_ends(self) -> None:
        # All creations fail and all checks succeed, so the service is not taken for gone.
        service, stop = Service(slots=1000, noise=1.0), Stop()
        async with simulated_client(service, attempts=50, deadline=1000) as client:
            tasks = await begun(client, stop, 200)
            assert client.executor.budget.waiting > 20
            errors = await ended(tasks, stop, within=0.01)
            assert client.executor.budget.waiting == 0
        assert {type(error) for error in errors} == {NotSentError}

    @simulated
    async def test_waiting_for_the_end_of_an_outage_ends(self) -> None:
        service, stop = Service(unreachable=True), Stop()
        async with simulated_client(service) as client:
            tasks = await begun(client, stop, 30)
            assert client.executor.limiter.state == "open"
            errors = await ended(tasks, stop)
        assert {type(error) for error in errors} == {NotSentError}

    @simulated
    async def test_waiting_for_an_equal_creation_ends(self) -> None:
        service, stop = Service(hanging=True), Stop()
        async with simulated_client(service, timeout=60) as client:
            other, *_ = await begun(client, Stop())
            tasks = await begun(client, stop)
            [error] = await ended(tasks, stop)
            other.cancel()
            await asyncio.wait([other])
        assert isinstance(error, NotSentError)


class TestSent:
    """What was sent is seen to its end, or looked for once."""

    @simulated
    async def test_what_is_on_the_wire_goes_on(self) -> None:
        service, stop = Service(took=11.5), Stop()
        async with simulated_client(service, timeout=60) as client:
            assert await ended(await begun(client, stop), stop, within=1.51) == [None]

    @simulated
    async def test_what_exists_after_doubt_is_found_at_once(self) -> None:
        service, stop = Service(slots=20, loses=True, retry_after="60"), Stop()
        async with simulated_client(service) as client:
            tasks = await begun(client, stop, 20)
            assert await ended(tasks, stop, within=0.1) == [None] * 20
        assert [len(copies) for copies in service.stored.values()] == [1] * 20
        assert service.posts == 20

    @simulated
    async def test_what_does_not_exist_was_not_sent_again(self) -> None:
        service, stop = Service(sheds=1, retry_after="60"), Stop()
        async with simulated_client(service) as client:
            [error] = await ended(await begun(client, stop), stop, within=0.1)
        assert isinstance(error, NotSentError)
        assert error.attempts == 1
        assert [method for _, method in service.sent] == ["POST", "GET"]

    @simulated
    async def test_in_an_outage_nothing_is_checked(self) -> None:
        service, stop = Service(gone=True), Stop()
        async with simulated_client(service) as client:
            tasks = await begun(client, stop, 20)
            assert client.executor.limiter.state == "open"
            [*_, another] = wanted(21)
            later = client.creator.create(another, client.executor.begin_patient_call(stop))
            tasks.append(asyncio.create_task(later))
            await asyncio.sleep(0)
            sent = len(service.sent)
            errors = await ended(tasks, stop)
            assert len(service.sent) == sent
        assert {type(error) for error in errors} == {NotSentError, OutcomeUnknownError}
        unknown = [error for error in errors if isinstance(error, OutcomeUnknownError)]
        assert sum(error.attempts for error in unknown) == service.posts

    @simulated
    async def test_the_final_check_is_short(self) -> None:
        service, stop = Service(sheds=3, retry_after="60"), Stop()
        async with simulated_client(service, timeout=60) as client:
            tasks = await begun(client, stop, 3)
            service.hanging = True
            errors = await ended(tasks, stop, within=2.0)
        assert [type(error) for error in errors] == [OutcomeUnknownError] * 3

    @simulated
    @pytest.mark.parametrize("in_doubt", ["confirm", "raise"])
    async def test_a_check_that_waits_for_its_slot_is_made_at_once(self, in_doubt: InDoubt) -> None:
        service, stop = Service(loses=True), Stop()
        async with simulated_client(service, in_doubt=in_doubt, timeout=60) as client:
            limiter = client.executor.limiter
            new = next(wanted(1))
            creating = asyncio.create_task(
                client.creator.create(new, client.executor.begin_patient_call(stop))
            )
            await asyncio.sleep(0.06)
            while limiter.try_acquire():
                pass
            await asyncio.sleep(10)
            assert (limiter.waiting, service.posts) == (1, 1)
            asyncio.get_running_loop().call_later(1, limiter.release)
            assert await ended([creating], stop, within=1.1) == [None]
            for _ in range(limiter.in_flight):
                limiter.release()
        assert service.posts == 1

    @simulated
    async def test_what_an_earlier_run_left_in_doubt_is_checked(self) -> None:
        service, stop = Service(), Stop()
        async with simulated_client(service) as client:
            stop.request()
            new = next(wanted(1))
            deadline = client.executor.begin_patient_call(stop)
            end = await client.creator.create(new, deadline, CreateOptions(in_doubt=True))
            assert deadline.in_doubt, "whoever cancels it has to know"
        assert isinstance(end, CreateFailed)
        assert isinstance(end.error, NotSentError)
        assert end.attempts == 0
        assert [method for _, method in service.sent] == ["GET"]

    @simulated
    async def test_no_probe_is_sent(self) -> None:
        """So that others who are not stopped can."""
        service, stop = Service(gone=True), Stop()
        async with simulated_client(service) as client:
            others = await begun(client, Stop(), 20)
            for other in others:
                other.cancel()
            await asyncio.wait(others)
            await asyncio.sleep(10)
            assert client.executor.limiter.state == "open"
            stop.request()
            for _ in range(20):
                await client.creator.create(next(wanted(1)), client.executor.begin_call(stop))
            assert client.executor.limiter.try_acquire(), "as it has been time for long"
            client.executor.limiter.release()

    @simulated
    @pytest.mark.parametrize("then", ["cannot connect", "waits for its place"])
    async def test_a_request_that_waits_to_be_repeated_is_not_sent(self, then: str) -> None:
        service, stop = Service(sheds=1), Stop()
        async with simulated_client(service) as client:
            limiter = client.executor.limiter
            deadline = client.executor.begin_call(stop)
            deleting = asyncio.create_task(delete(client.executor, client.api, 1, deadline))
            await asyncio.sleep(0.01)
            if then == "cannot connect":
                service.unreachable = True
            else:
                while limiter.try_acquire():
                    pass
            await asyncio.sleep(0.7)
            taken = limiter.in_flight
            stop.request()
            result = await deleting
            for _ in range(taken):
                limiter.release()
        assert isinstance(result, Failure)
        expected = TransportError if then == "cannot connect" else BackendFetchFailedError
        assert type(result.error) is expected

    @simulated
    async def test_a_deletion_in_doubt_is_not_called_unsent(self) -> None:
        service, stop = Service(hanging=True), Stop()
        async with simulated_client(service) as client:
            deadline = client.executor.begin_call(stop)
            deleting = asyncio.create_task(delete(client.executor, client.api, 1, deadline))
            await asyncio.sleep(2.1)
            stop.request()
            with pytest.raises(AttemptTimeoutError):
                value_or_raise(await deleting)
        assert deadline.in_doubt
