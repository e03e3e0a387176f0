"""A service to which nobody can connect: for a moment, for longer, or from the very beginning."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Sequence

import attrs
import pytest

from restream_async import (
    Created,
    Failed,
    NewRestream,
    NotSentError,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
)
from restream_async._bulk.run import BulkRun
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._operations.create_result import (
    CreateFailed,
    CreateSucceeded,
    restream_or_raise,
)
from tests.helpers.simulated_service import Service, SimulatedClient, simulated_client, wanted
from tests.helpers.simulated_time import now, simulated


@attrs.define(kw_only=True, eq=False)
class PartlyAway(Service):
    """A service to which nobody can connect for some of the videos."""

    beyond: frozenset[str] = frozenset()

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        if request.video_id in self.beyond:
            await asyncio.sleep(timeout)
            return NoResponse(detail="no connection", sent=False, timed_out=True)
        return await super().send(request, timeout)


async def away(service: Service, start: float, seconds: float, *, how: str = "unreachable") -> None:
    """Let the service be away for so many seconds."""
    await asyncio.sleep(start - now())
    setattr(service, how, True)
    await asyncio.sleep(seconds)
    setattr(service, how, False)


def all_created(outcomes: Sequence[Outcome], count: int) -> bool:
    return len(outcomes) == count and all(isinstance(outcome, Created) for outcome in outcomes)


async def create(client: SimulatedClient, new: NewRestream) -> CreateSucceeded | CreateFailed:
    return await client.creator.create(new, client.executor.begin_call())


async def several(client: SimulatedClient, count: int) -> list[CreateSucceeded | CreateFailed]:
    return await asyncio.gather(*(create(client, new) for new in wanted(count)))


async def given_up(client: SimulatedClient, count: int) -> tuple[list[Outcome], OutageError]:
    """Return the outcomes of a run that stops by itself, and why it did."""
    outcomes: list[Outcome] = []
    async with client.run(count) as run:
        try:
            async for outcome in run:
                outcomes.append(outcome)  # noqa: PERF401 - kept although the end is an error
        except OutageError as error:
            return outcomes, error
    pytest.fail("it goes on")


class TestShort:
    """Too short to be taken for an outage."""

    @simulated
    async def test_it_fails_no_item_of_a_run(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service, ceiling=16) as client, asyncio.TaskGroup() as group:
            for start in (0.5, 3.5, 6.5):
                group.create_task(away(service, start, 0.9))
            run = group.create_task(client.create_many(3000))
        assert all_created(run.result(), 3000)
        # None of them slept for long after the service was back.
        assert now() < 3 * 0.9 + 3000 / 16 * 0.06 + 2.5

    @simulated
    async def test_it_uses_no_attempts_of_a_run_and_no_deadline(self) -> None:
        service = Service()
        async with (
            simulated_client(service, attempts=1, deadline=1.0) as client,
            asyncio.TaskGroup() as group,
        ):
            assert all_created(await client.create_many(1), 1)
            start = now()
            group.create_task(away(service, start, 20))
            run = group.create_task(client.create_many(1))
        assert all_created(run.result(), 1)
        [outcome] = run.result()
        assert outcome.attempts > 5
        assert now() < start + 20 + 5.1, "in the longest interval between two probes"

    @simulated
    async def test_it_uses_no_attempts_where_packets_are_lost(self) -> None:
        service = Service()
        async with (
            simulated_client(service, deadline=3.0, timeout=30) as client,
            asyncio.TaskGroup() as group,
        ):
            await several(client, 1)
            group.create_task(away(service, now(), 4, how="dropping"))
            run = group.create_task(client.create_many(1))
        assert all_created(run.result(), 1)

    @simulated
    async def test_it_uses_no_retries_of_an_existence_check(self) -> None:
        service = Service(loses=True, took=0.3)
        async with simulated_client(service, attempts=2) as client, asyncio.TaskGroup() as group:
            group.create_task(away(service, 0.2, 1.5))
            run = group.create_task(client.create_many(1))
        assert all_created(run.result(), 1)
        assert service.posts == 1

    @simulated
    async def test_time_in_which_the_service_answers_is_no_interruption(self) -> None:
        """Whatever it answers, but for 429: else an item might never come to its end."""
        service = Service()
        async with simulated_client(service, deadline=10, attempts=100) as client:
            await several(client, 1)
            service.unreachable = True
            run = asyncio.create_task(client.create_many(2))
            await asyncio.sleep(0.1)
            service.unreachable, service.noise = False, 1.0
            [_, outcome] = sorted(await run, key=lambda outcome: outcome.index)
        assert isinstance(outcome, Failed)
        assert now() < 0.1 + 1 + 10

    @simulated
    async def test_it_fails_no_single_creation_either(self) -> None:
        """The waits of those that cannot connect are long enough together."""
        service = Service(slots=1000, unreachable=True)
        async with simulated_client(service, attempts=4) as client, asyncio.TaskGroup() as group:
            group.create_task(away(service, 0, 0.9))
            ends = await several(client, 1000)
        assert {type(end) for end in ends} == {CreateSucceeded}


class TestPartial:
    """Some cannot connect while others succeed: the service is there, and they are not excused."""

    @simulated
    async def test_they_use_up_their_attempts(self) -> None:
        async def steadily() -> AsyncIterator[NewRestream]:
            for number, new in enumerate(wanted(1000)):
                yield new
                if number > 50:
                    await asyncio.sleep(0.1)

        beyond = frozenset(f"v{number}" for number in range(3, 8))
        service = PartlyAway(slots=1000, beyond=beyond)
        failed: dict[str, tuple[float, Failed]] = {}
        async with simulated_client(service, ceiling=16, deadline=10, attempts=3) as client:
            async with BulkRun(client.executor, client.api, client.creator, steadily()) as run:
                async for outcome in run:
                    if isinstance(outcome, Failed):
                        failed[outcome.request.video_id] = (now(), outcome)
            assert client.executor.limiter.outage_seconds() < 3
        assert failed.keys() == beyond
        for moment, outcome in failed.values():
            assert isinstance(outcome.error, TransportError)
            assert outcome.attempts == 3
            # Three attempts of 2 s, and the waits between them.
            assert moment < 3 * 2 + 3

    @simulated
    async def test_their_existence_checks_use_up_retries_too(self) -> None:
        """They are retries of their own."""

        class Checked(PartlyAway):
            async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
                if request.method == "GET":
                    self.beyond = frozenset({"v0"})
                return await super().send(request, timeout)

        service = Checked(slots=1000, loses=True)
        async with simulated_client(service, attempts=3, in_doubt="raise") as client:
            one = asyncio.create_task(client.create_many(1))
            await asyncio.sleep(0.2)
            service.loses = False
            [other] = list(wanted(2))[1:]
            while not one.done():
                await create(client, attrs.evolve(other, stream_key=f"key-{now()}"))
        [outcome] = one.result()
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, OutcomeUnknownError)
        assert now() < 60


class TestRetryBudget:
    """What never reached the service, and what it dealt with, it need not be spared."""

    @simulated
    async def test_what_never_connected_costs_nothing(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            group.create_task(away(service, 0, 0.8))
            ends = await several(client, 1500)
            assert client.executor.budget.available == 200
        assert {type(end) for end in ends} == {CreateSucceeded}
        # With 64 in flight and more, 50 ms each, after the longest of their waits.
        assert now() < 0.8 + 4

    @simulated
    async def test_it_does_not_starve_a_service_that_is_well_again(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service, attempts=50, deadline=60) as client:
            creating = asyncio.create_task(several(client, 1500))
            service.noise = 1.0
            await asyncio.sleep(3)
            assert client.executor.budget.available == 0
            service.noise = 0.0
            ends = await creating
        assert {type(end) for end in ends} == {CreateSucceeded}
        # Not with the trickle alone, of ten retries a second.
        assert now() < 12


class TestNeverReached:
    """A wrong address, until something connects."""

    @simulated
    @pytest.mark.parametrize("count", [1, 10, 300])
    async def test_it_is_said_within_seconds_and_given_up_after_half_a_minute(
        self, count: int
    ) -> None:
        service = Service(unreachable=True)
        async with simulated_client(service) as client:
            limiter = client.executor.limiter
            assert (limiter.reached, limiter.last) == (False, None)
            run = asyncio.create_task(given_up(client, count))
            await asyncio.sleep(4)
            assert limiter.state == "open"
            assert not limiter.reached
            assert limiter.last is not None
            assert limiter.last.summary == "the connection was refused"
            outcomes, error = await run
        assert 30 < now() < 4 + 30 + 3
        # What was read has an outcome, and the run has read no further than it had to.
        assert 1 <= len(outcomes) <= count
        for outcome in outcomes:
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, OutageError | NotSentError)
            assert outcome.error.attempts == outcome.attempts
        assert not error.reached
        assert isinstance(error.last, TransportError)
        assert str(error).startswith(
            "the service was never reached (last: the connection was refused): POST "
        )
        assert str(error).endswith("; check base_url and the network")

    @simulated
    async def test_less_patience_counts(self) -> None:
        service = Service(unreachable=True)
        async with simulated_client(service, patience=5) as client:
            _, error = await given_up(client, 10)
        assert not error.reached
        assert now() < 4 + 5 + 3

    @simulated
    async def test_single_creations_do_not_wait_for_it_either(self) -> None:
        service = Service(unreachable=True)
        async with simulated_client(service) as client:
            ends = await several(client, 100)
        assert {type(end.error) for end in ends if isinstance(end, CreateFailed)} <= {
            OutageError,
            TransportError,
        }
        assert now() < 4 + 30 + 3

    @simulated
    async def test_what_answers_at_last_is_an_ordinary_service(self) -> None:
        service = Service(unreachable=True)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            run = group.create_task(client.create_many(20))
            await asyncio.sleep(20)
            # Whatever is in front of it says so.
            service.unreachable, service.gone = False, True
            await asyncio.sleep(100)
            assert client.executor.limiter.reached
            assert client.executor.limiter.state == "open"
            service.gone = False
        assert all_created(run.result(), 20)
        assert client.executor.limiter.last is None

    @simulated
    async def test_what_connects_and_never_answers_is_one_too(self) -> None:
        """It has all of the patience, and nobody is told to check the address."""
        service = Service(hanging=True)
        async with simulated_client(service, ceiling=8, patience=100) as client:
            outcomes = await client.create_many(20)
            assert client.executor.limiter.reached
        gone = [end.error for end in outcomes if isinstance(end, Failed)]
        assert {type(error) for error in gone} <= {OutageError, OutcomeUnknownError}
        outages = [error for error in gone if isinstance(error, OutageError)]
        assert outages
        assert all(error.reached for error in outages)
        assert now() > 100

    @simulated
    async def test_a_probe_that_succeeds_ends_it(self) -> None:
        service = Service(unreachable=True)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            run = group.create_task(client.create_many(20))
            await asyncio.sleep(25)
            service.unreachable = False
        assert all_created(run.result(), 20)
        assert client.executor.limiter.state == "closed"

    @simulated
    async def test_once_reached_it_takes_ten_failures_and_all_of_the_patience(self) -> None:
        service = Service()
        async with simulated_client(service, patience=100) as client:
            assert all_created(await client.create_many(1), 1)
            service.unreachable = True
            run = asyncio.create_task(client.create_many(1))
            await asyncio.sleep(2)
            assert client.executor.limiter.state == "closed"
            [outcome] = await run
        assert isinstance(outcome, Failed)
        error = outcome.error
        assert isinstance(error, OutageError)
        assert error.reached
        assert "the service is out" in str(error)
        assert "(last: the connection was refused)" in str(error)
        assert str(error).endswith("; try again when the service is back")
        assert 100 < now() < 100 + 20

    @simulated
    async def test_a_closed_client_says_nothing_about_the_service(self) -> None:
        service = Service(closed_reason="the client is closed")
        async with simulated_client(service) as client:
            for _ in range(4):
                await several(client, 5)
                await asyncio.sleep(1)
            assert client.executor.limiter.state == "closed"
            assert client.executor.limiter.last is not None

    @simulated
    async def test_what_is_remembered_of_an_error_holds_no_frames(self) -> None:
        class Held:
            """Something of a caller's."""

        async def fails() -> "weakref.ref[Held]":
            held = Held()
            with pytest.raises(RestreamError):
                restream_or_raise(await create(client, next(wanted(1))))
            return weakref.ref(held)

        service = Service(unreachable=True)
        async with simulated_client(service, attempts=1) as client:
            reference = await fails()
            gc.collect()
            assert client.executor.limiter.last is not None
            assert reference() is None
