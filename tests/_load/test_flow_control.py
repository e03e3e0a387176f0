"""The whole of flow control: limit, budget and outage, under a bulk run, in simulated time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import pairwise
from statistics import median

import attrs
import pytest

from restream_async import (
    ApiError,
    AttemptTimeoutError,
    Created,
    Failed,
    InternalServerError,
    NewRestream,
    OutageError,
    Outcome,
    OutcomeUnknownError,
)
from restream_async._bulk.run import BulkRun
from restream_async._http import serialization
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async._retry.budget import RESERVE, SHARE, TRICKLE
from restream_async._retry.classification import Failure
from tests.helpers.simulated_service import SHED, Service, SimulatedClient, simulated_client, wanted
from tests.helpers.simulated_time import now, simulated


def all_created(outcomes: Sequence[Outcome], count: int) -> bool:
    return len(outcomes) == count and all(isinstance(outcome, Created) for outcome in outcomes)


def errors(outcomes: Sequence[Outcome]) -> Counter[type[Exception]]:
    return Counter(type(item.error) for item in outcomes if isinstance(item, Failed))


def another(number: int = 0) -> NewRestream:
    """Return one that no bulk run of these tests creates."""
    [new] = wanted(1)
    return attrs.evolve(new, video_id=f"another-{number}")


async def several(
    client: SimulatedClient, count: int, *, of: str = "first"
) -> list[CreateSucceeded | CreateFailed]:
    """Create so many at once, each by a call of its own."""
    news = [attrs.evolve(new, video_id=f"{of}-{new.video_id}") for new in wanted(count)]
    creating = [client.creator.create(new, client.executor.begin_call()) for new in news]
    return await asyncio.gather(*creating)


async def _created(client: SimulatedClient, news: Iterable[NewRestream]) -> list[Outcome]:
    async with BulkRun(client.executor, client.api, client.creator, news) as run:
        return [outcome async for outcome in run]


def _others(count: int) -> list[NewRestream]:
    return [attrs.evolve(new, video_id=f"other-{new.video_id}") for new in wanted(count)]


async def spend_all(client: SimulatedClient) -> None:
    """Use up the retry budget, and again whenever there is some."""
    while True:
        while client.executor.budget.spend():
            pass
        await asyncio.sleep(0.05)


def is_out(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, OutageError)


async def at(moment: float, service: Service, **changes: object) -> None:
    """Change the service at a moment."""
    await asyncio.sleep(moment - now())
    for name, value in changes.items():
        setattr(service, name, value)


class TestOverload:
    """A service that can do 320 a second."""

    @simulated
    async def test_one_that_sheds_is_used_up_to_its_capacity(self) -> None:
        service = Service(queue=16)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(1200), 1200)
        assert service.last_post < 1200 / 320 * 1.05
        # Half of the first 64 are refused, and hardly any later.
        assert service.posts < 1200 + 32 + 1200 * 0.01

    @simulated
    async def test_one_that_sheds_and_has_no_queue_gets_hardly_more_than_it_can_take(self) -> None:
        service = Service(queue=0)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(1200), 1200)
        assert service.posts < 1200 * 1.05

    @simulated
    async def test_one_that_queues_is_not_drowned(self) -> None:
        service = Service(queue=None, jitter=0.2)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(3200), 3200)
        assert service.last_post < 3200 / 320 * 1.05
        # It begins with 64 in flight, and has to find out.
        assert median(service.latencies[800:]) < 3 * 0.05
        assert service.posts == 3200

    @simulated
    async def test_one_that_refuses_at_once_is_not_asked_again_at_once(self) -> None:
        """Not even with the next item."""
        service = Service()
        async with simulated_client(service, ceiling=1) as client:
            assert all_created(await client.create_many(20), 20)
            start = now()
            service.sheds = 8
            assert all_created(await _created(client, _others(8)), 8)
        posts = [moment for moment, method in service.sent if method == "POST" and moment >= start]
        assert len(posts) > 8
        assert all(later - before > 0.04 for before, later in pairwise(posts))

    @simulated
    async def test_random_errors_do_not_slow_it_down(self) -> None:
        service = Service(slots=1000, noise=0.01)
        async with simulated_client(service, ceiling=64) as client:
            assert all_created(await client.create_many(1200), 1200)
            assert client.executor.limiter.limit == 64
        assert service.posts < 1200 * 1.03

    @simulated
    async def test_a_retry_after_holds_back_its_item_and_not_the_run(self) -> None:
        """Varnish sends `Retry-After: 5` with each 503, whatever the load."""
        service = Service(retry_after="5", sheds=5)
        async with simulated_client(service, ceiling=16) as client:
            outcomes = await client.create_many(300)
        assert all_created(outcomes, 300)
        again = [item.index for item in outcomes if isinstance(item, Created) and item.attempts > 1]
        assert len(again) == 5
        # All others went on meanwhile, and were done long before.
        assert sorted(item.index for item in outcomes[-5:]) == sorted(again)
        posts = [moment for moment, method in service.sent if method == "POST"]
        assert len([moment for moment in posts if moment < 4]) == 300
        assert len([moment for moment in posts if moment > 5]) == 5


class TestFirstContact:
    """A client begins with 64 requests in flight, whatever the service can take."""

    @simulated
    @pytest.mark.parametrize("slots", [1, 2, 4])
    async def test_one_that_takes_few_at_once_refuses_one_round(self, slots: int) -> None:
        service = Service(slots=slots)
        async with simulated_client(service) as client:
            run = asyncio.create_task(client.create_many(300))
            await asyncio.sleep(0.2)
            refused = service.posts - len(service.stored)
            assert 64 - slots <= refused <= 64 + slots + 8
            # Each that was refused is checked, and sent again once it has its turn.
            await asyncio.sleep(2)
            later = service.posts - len(service.stored) - refused
            # Its limit is always one too many for a single one now and then.
            assert later <= (30 if slots == 1 else 10)
            assert client.executor.limiter.limit <= slots + 1
            assert all_created(await run, 300)
        assert service.last_post < 300 * 0.05 / slots * 1.15


class TestRateLimit:
    """A service that accepts so many requests a second, and answers 429 to all others."""

    @simulated
    @pytest.mark.parametrize(
        ("rate", "retry_after", "count", "extra", "seconds"),
        [
            (60.0, None, 1200, 0.10, 10.0),
            (60.0, "1", 1200, 0.10, 10.0),
            (8.0, "60", 400, 0.25, 10.0),
            (2.0, None, 200, 0.40, 10.0),
            (0.5, None, 100, 0.70, 80.0),
        ],
    )
    async def test_a_run_keeps_to_it(
        self, rate: float, retry_after: str | None, count: int, extra: float, seconds: float
    ) -> None:
        service = Service(slots=1000, rate=rate, retry_after=retry_after)
        async with simulated_client(service, attempts=2, deadline=120) as client:
            budget = client.executor.budget.available
            outcomes = await client.create_many(count)
            assert client.executor.budget.available >= budget, "nothing is paid for"
            assert client.executor.limiter.limit >= 64, "it is no lack of room"
        # None fails, though it waits for longer than its deadline and has one attempt more.
        assert all_created(outcomes, count)
        # The service accepts nothing beyond its rate, so the rate has to be found from below.
        assert now() < count / rate * 1.05 + seconds
        # The first wave, before the first 429 is there, is most of it.
        assert service.posts < count * (1 + extra)

    @simulated
    async def test_more_429s_than_attempts_are_no_end_and_cost_no_budget(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(slots=1000, limited=True)
        async with simulated_client(service, attempts=2) as client, asyncio.TaskGroup() as group:

            def spend(price: float) -> bool:
                return not price

            monkeypatch.setattr(client.executor.budget, "spend", spend)
            group.create_task(at(100, service, limited=False))
            run = group.create_task(client.create_many(20))
        outcomes = run.result()
        assert all_created(outcomes, 20)
        assert max(item.attempts for item in outcomes) > 2

    @simulated
    async def test_a_deadline_does_not_pass_while_an_item_waits_for_its_turn(self) -> None:
        service = Service(slots=1000, rate=0.5)
        async with simulated_client(service, deadline=10) as client:
            assert all_created(await client.create_many(60), 60)
        assert now() > 100

    @simulated
    @pytest.mark.parametrize("retry_after", [None, "1", "60"])
    @pytest.mark.parametrize("position", [7, 500])
    async def test_an_item_that_is_singled_out_holds_up_the_others_for_a_while_only(
        self, retry_after: str | None, position: int
    ) -> None:
        service = Service(slots=1000, singled_out=f"v{position}", retry_after=retry_after)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            run = group.create_task(client.create_many(1000))
            async with asyncio.timeout(60):
                while len(service.stored) < 999:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.1)
        [failed] = [outcome for outcome in run.result() if isinstance(outcome, Failed)]
        assert "429" in str(failed.error)
        # Once it is left alone, nobody can say that the service accepts anything at all.
        assert isinstance(failed.error, ApiError | OutageError)
        assert now() < 900

    @simulated
    @pytest.mark.parametrize("retry_after", [None, "1", "60"])
    async def test_it_ends_soon_while_others_are_accepted(self, retry_after: str | None) -> None:
        service = Service(slots=1000, singled_out="v7", retry_after=retry_after)
        async with simulated_client(service) as client:
            outcomes = await client.create_many(1000)
        [failed] = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert isinstance(failed.error, ApiError)
        assert failed.error.status == 429
        # As many as it has attempts are taken for the pace of the client, and so many count.
        assert failed.attempts <= 2 * 5 + 2
        assert len(service.stored) == 999
        assert now() < 900

    @simulated
    async def test_a_few_429s_of_one_item_are_chance_even_with_a_single_attempt(self) -> None:
        service = Service(slots=1000, singled_out="v7")
        async with simulated_client(service, attempts=1) as client:
            outcomes = await client.create_many(1000)
        [failed] = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert failed.attempts > 5

    @simulated
    @pytest.mark.parametrize("rest", [0, 3600])
    async def test_half_a_second_of_429s_costs_little_after_any_age_of_the_client(
        self, rest: int
    ) -> None:
        service = Service(slots=1000, took=0.1)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            assert all_created(await _created(client, _others(10)), 10)
            await asyncio.sleep(rest)
            start = now()
            service.limited = True
            group.create_task(at(start + 0.5, service, limited=False))
            assert all_created(await client.create_many(20), 20)
        assert now() - start < 30

    @simulated
    async def test_it_costs_little_too_if_the_other_answers_come_after_the_429(self) -> None:
        service = Service(slots=1000, took=0.1)
        async with simulated_client(service, attempts=1) as client:
            service.limited = True
            await several(client, 1)
            service.limited = False
            await asyncio.sleep(3600)
            start = now()
            assert all_created(await client.create_many(20), 20)
        assert now() - start < 30

    @simulated
    async def test_an_idle_hour_between_two_429s_does_not_lower_the_rate(self) -> None:
        service = Service(slots=1000, rate=20.0)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(400), 400)
            for hour in range(1, 4):
                await asyncio.sleep(3600)
                start = now()
                news = [attrs.evolve(new, video_id=f"{hour}-{new.video_id}") for new in wanted(100)]
                assert all_created(await _created(client, news), 100)
                assert now() - start < 100 / 20 * 1.25

    @simulated
    async def test_what_waits_behind_nothing_but_429s_goes_out_when_the_service_is_back(
        self,
    ) -> None:
        service = Service(slots=1000, took=0.1)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            group.create_task(at(1, service, limited=True))
            group.create_task(at(100, service, limited=False))
            run = group.create_task(client.create_many(3000))
            await asyncio.sleep(99)
            assert client.executor.limiter.state == "open"
            assert len(service.stored) < 2000
        assert all_created(run.result(), 3000)
        # A probe every five seconds at the most.
        assert now() < 100 + 5 + 15

    @simulated
    async def test_429s_at_random_do_not_make_it_slower_and_slower(self) -> None:
        service = Service(slots=1000, strange=0.05)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(1000), 1000)
        assert now() < 150

    @simulated
    @pytest.mark.parametrize(
        ("a_minute", "count"), [(100, 100), (100, 300), (1000, 1000), (1000, 3000)]
    )
    async def test_a_cold_start_takes_little_longer_than_it_has_to(
        self, a_minute: int, count: int
    ) -> None:
        service = Service(slots=1000, rate=a_minute / 60)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(count), count)
        assert now() < count / a_minute * 60 * 1.3

    @simulated
    async def test_a_service_that_answers_nothing_else_is_given_up(self) -> None:
        service = Service(limited=True)
        async with simulated_client(service, patience=60) as client:
            outcomes = await client.create_many(200)
            assert client.executor.limiter.given_up
        assert set(errors(outcomes)) == {OutageError}
        assert errors(outcomes).total() == 200
        assert "429" in str(outcomes[0])
        assert 60 < now() < 60 + 20
        assert service.posts < 64 + 60

    @simulated
    @pytest.mark.parametrize("count", [1, 5])
    async def test_a_run_of_few_items_is_given_up_too(self, count: int) -> None:
        """It takes ten failures in a row, with ever longer pauses in between."""
        service = Service(limited=True)
        async with simulated_client(service, patience=60) as client:
            outcomes = await client.create_many(count)
        assert set(errors(outcomes)) == {OutageError}
        assert now() < 10 * 60

    @simulated
    async def test_a_single_call_has_its_attempts_and_heeds_the_retry_after(self) -> None:
        service = Service(limited=True, retry_after="7")
        async with simulated_client(service, attempts=3) as client:
            [end] = await several(client, 1)
        assert isinstance(end, CreateFailed)
        assert isinstance(end.error, ApiError)
        assert end.error.status == 429
        assert end.attempts == 3
        moments = [moment for moment, _ in service.sent]
        assert len(moments) == 3
        assert all(later - before >= 7 for before, later in pairwise(moments))

    @simulated
    async def test_a_single_call_has_its_deadline(self) -> None:
        service = Service(limited=True)
        async with simulated_client(service, attempts=100, deadline=20) as client:
            [end] = await several(client, 1)
            assert now() <= 20
            assert isinstance(end, CreateFailed)
            assert str(end.error).startswith("no turn at the pace of the service")
            # One that waits for its turn at the pace of the client, too.
            run = asyncio.create_task(client.create_many(50))
            await asyncio.sleep(0.5)
            start = now()
            ends = await several(client, 10, of="later")
            assert now() - start <= 20
            assert {type(end) for end in ends} == {CreateFailed}
            run.cancel()
            await asyncio.wait([run])

    @simulated
    async def test_a_single_call_is_not_kept_waiting_by_several_runs(self) -> None:
        service = Service(slots=1000, took=1.0)
        async with simulated_client(service, ceiling=4) as client:
            run_tasks = [
                asyncio.create_task(
                    _created(client, [attrs.evolve(new, title=f"run {n}") for new in wanted(200)])
                )
                for n in range(8)
            ]
            await asyncio.sleep(10.5)
            start = now()
            ends = await several(client, 8)
            assert {type(end) for end in ends} == {CreateSucceeded}
            assert now() - start < 8
            for task in run_tasks:
                task.cancel()
            await asyncio.wait(run_tasks)

    @simulated
    async def test_one_that_is_cancelled_while_it_asks_lets_the_others_go_on(self) -> None:
        service = Service(slots=1000, rate=1.0, took=1.5)
        async with simulated_client(service) as client:
            tasks = [
                asyncio.create_task(client.creator.create(new, client.executor.begin_call()))
                for new in wanted(6)
            ]
            await asyncio.sleep(2)
            assert client.executor.limiter.in_flight == 1
            assert client.executor.limiter.waiting
            asked = len(service.sent)
            for task in tasks:
                if not task.done() and service.in_flight:
                    task.cancel()
                    await asyncio.sleep(0.1)
            assert len(service.sent) > asked
            await asyncio.wait(tasks)

    @simulated
    @pytest.mark.parametrize("deadline", [3.0, 60.0])
    async def test_calls_with_too_little_time_left_do_not_stop_the_client(
        self, deadline: float
    ) -> None:
        """They get the slot with which to ask, and give it back without having sent anything."""
        service = Service(slots=1000, took=1.0)
        async with simulated_client(service, deadline=deadline, timeout=30) as client:
            await several(client, 64)
            service.rate = 0.25
            await several(client, 30, of="later")
            service.rate = None
            async with asyncio.timeout(300):
                assert all_created(await client.create_many(20), 20)


class TestTwoRuns:
    """A client keeps what it has learned."""

    @simulated
    async def test_the_limit_and_the_latency(self) -> None:
        service = Service(slots=8)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(500), 500)
            limit = client.executor.limiter.limit
            assert limit < 16
            assert client.executor.limiter.idle_latency("POST") == pytest.approx(0.051, rel=0.1)
            posts = service.posts
            assert all_created(await _created(client, _others(200)), 200)
            assert service.posts - posts < 200 * 1.1, "no first wave"

    @simulated
    async def test_the_rate_limit(self) -> None:
        service = Service(slots=1000, rate=20.0)
        async with simulated_client(service) as client:
            assert all_created(await client.create_many(400), 400)
            posts, start = service.posts, now()
            assert all_created(await _created(client, _others(200)), 200)
            assert service.posts - posts < 200 * 1.1, "no first wave"
            assert now() - start < 200 / 20 * 1.15


class TestErrors:
    """503s whatever the load."""

    @simulated
    @pytest.mark.parametrize("broken", [0.02, 0.07])
    async def test_a_share_of_them_is_forgiven(self, broken: float) -> None:
        service = Service(slots=1000, took=0.1, broken=broken)
        async with simulated_client(service, ceiling=64, in_doubt="resend") as client:
            run = asyncio.create_task(_created(client, _others(6000)))
            limits: list[int] = []
            while not run.done():
                limits.append(client.executor.limiter.limit)
                await asyncio.sleep(0.1)
            assert all_created(run.result(), 6000)
            assert service.posts > 6000 * (1 + 0.9 * broken)
            assert min(limits) == 64

    @simulated
    async def test_more_of_them_are_forgiven_when_a_lower_limit_has_not_helped(self) -> None:
        service = Service(slots=1000, took=0.1, broken=0.25)
        async with simulated_client(service, ceiling=64, in_doubt="resend") as client:
            run = asyncio.create_task(_created(client, _others(2000)))
            limits: list[int] = []
            while not run.done():
                limits.append(client.executor.limiter.limit)
                await asyncio.sleep(0.1)
            assert len(run.result()) == 2000
            assert min(limits) <= 32 < median(limits)


class TestBudget:
    """Retries have a fixed share of the calls, besides a small reserve."""

    @simulated
    async def test_retries_never_exceed_it_over_all_calls_of_a_client(self) -> None:
        # Every creation fails and every look succeeds, so the service is not taken for gone.
        service = Service(slots=1000, noise=1.0)
        async with simulated_client(service) as client:
            calls = 0

            async def alone() -> None:
                nonlocal calls
                calls += 1
                await client.creator.create(another(calls), client.executor.begin_call())

            async with asyncio.TaskGroup() as group:
                run = group.create_task(client.create_many(200))
                for _ in range(40):
                    group.create_task(alone())
                empty = most_waiting = 0
                while not run.done():
                    allowed = SHARE * (calls + 200) + RESERVE + TRICKLE * now()
                    assert client.executor.counts.retries <= allowed
                    empty += not client.executor.budget.available
                    most_waiting = max(most_waiting, client.executor.budget.waiting)
                    await asyncio.sleep(0.1)
            assert errors(run.result()).total() == 200
            assert empty > 50, "it was what held them back"
            assert most_waiting > 50
            assert client.executor.budget.waiting == 0

    @simulated
    async def test_a_call_without_budget_before_its_deadline_fails_with_its_error(
        self,
    ) -> None:
        service = Service(slots=1000, noise=1.0)
        async with simulated_client(service, deadline=3.0) as client:
            while client.executor.budget.spend():
                pass
            tries = [client.creator.create(new, client.executor.begin_call()) for new in wanted(60)]
            ends = await asyncio.gather(*tries)
        kinds = Counter(type(end.error) for end in ends if isinstance(end, CreateFailed))
        assert kinds.total() == 60
        assert kinds[InternalServerError] > 40, "the others were cut by the deadline"
        assert now() <= 3.0 + 5.0, "the deadline, and the last look"
        assert client.executor.counts.retries <= SHARE * 60 + TRICKLE * 3


class TestDeadlines:
    """Calls whose own deadlines are short."""

    @simulated
    async def test_what_they_cut_is_no_sign_of_load(self) -> None:
        """Whoever gets a place late has little time, and would make the others come later still."""
        service = Service(slots=1000)
        async with simulated_client(service, ceiling=64, deadline=0.3, timeout=30) as client:
            creating: list[asyncio.Task[CreateSucceeded | CreateFailed]] = []
            for new in wanted(4000):
                creation = client.creator.create(new, client.executor.begin_call())
                creating.append(asyncio.create_task(creation))
                await asyncio.sleep(1 / 600)
            ends = await asyncio.gather(*creating)
            assert client.executor.limiter.limit == 64
        assert sum(isinstance(end, CreateSucceeded) for end in ends) > 3800
        assert {type(end) for end in ends[1000:]} == {CreateSucceeded}
        # Nothing is sent that can hardly be answered in time.
        assert service.posts < 4000 * 1.02

    @simulated
    async def test_a_service_that_hangs_is_noticed_by_them_all_the_same(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service, ceiling=64, deadline=1.0, timeout=30) as client:
            await several(client, 100)
            service.hanging = True
            await several(client, 300, of="later")
            assert client.executor.limiter.state == "open"

    @simulated
    async def test_less_time_than_a_busy_service_needs_is_no_proof_that_it_hangs(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service, ceiling=64, deadline=0.12, timeout=30) as client:
            # So many answers at least make a round, from which the usual latency is known.
            await several(client, 128)
            service.took = 1.0
            for number in range(20):
                await several(client, 8, of=f"later-{number}")
            assert client.executor.limiter.limit == 64
            assert client.executor.limiter.state == "closed"


class TestRetriesCounted:
    """What `stats()` calls a retry."""

    @simulated
    async def test_only_what_is_sent_counts_and_only_what_repeats(self) -> None:
        service = Service(sheds=1)
        async with simulated_client(service) as client:
            await several(client, 1)
            # A POST, a look that it is not there, and the same POST again.
            assert [method for _, method in service.sent] == ["POST", "GET", "POST"]
            assert (client.executor.counts.attempts, client.executor.counts.retries) == (3, 1)

    @simulated
    async def test_a_call_that_waits_for_a_slot_counts_no_retry(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, deadline=30) as client:
            await several(client, 12)
            tally = client.executor.counts
            assert tally.attempts == len(service.sent)
            first = 12 + len({method for _, method in service.sent}) - 1
            assert 0 < tally.retries <= tally.attempts - first


class TestOutage:
    """The service is gone."""

    @simulated
    async def test_nothing_is_lost_that_waits_for_it_to_come_back(self) -> None:
        service = Service(queue=16)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            group.create_task(at(1, service, gone=True))
            group.create_task(at(61, service, gone=False))
            run = group.create_task(client.create_many(1000))
            await asyncio.sleep(30)
            assert client.executor.limiter.state == "open"
        assert all_created(run.result(), 1000)
        assert {len(copies) for copies in service.stored.values()} == {1}
        # One probe now and then, after the first seconds.
        assert 3 <= len(service.sent_between(31, 61)) <= 14
        assert max(len(service.sent_between(t, t + 2)) for t in range(31, 59)) <= 2
        # A slow start, and all is as before.
        back = service.sent_between(61, 1000)
        assert back[0] < 61 + 6
        assert now() < 61 + 6 + 1000 / 320 * 1.6

    @simulated
    async def test_it_resumes_with_one_request_and_is_soon_back(self) -> None:
        service = Service(slots=1000)
        async with simulated_client(service, ceiling=64) as client, asyncio.TaskGroup() as group:
            group.create_task(at(1, service, gone=True))
            group.create_task(at(20, service, gone=False))
            run = group.create_task(client.create_many(3000))
            await asyncio.sleep(20)
            service.most_in_flight = 0
            limits: list[int] = []
            while not run.done():
                if client.executor.limiter.state == "closed":
                    limits.append(client.executor.limiter.limit)
                await asyncio.sleep(0.01)
        assert all_created(run.result(), 3000)
        assert limits[0] <= 4, "checks take a moment only"
        assert all(later <= max(2, before) * 1.5 for before, later in pairwise(limits))
        assert limits.index(64) * 0.01 < 40 * 0.05, "in 40 round trips"
        assert min(limits[limits.index(64) :]) == 64

    @simulated
    async def test_a_run_of_few_does_not_burn_its_attempts_on_asking(self) -> None:
        service = Service()
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            await several(client, 1)
            service.unreachable = True
            group.create_task(at(280, service, unreachable=False))
            run = group.create_task(client.create_many(6))
        assert all_created(run.result(), 6)
        assert client.executor.counts.attempts > 40

    @simulated
    async def test_it_is_given_up_when_patience_ends(self) -> None:
        service = Service(queue=16)
        async with simulated_client(service, patience=60) as client, asyncio.TaskGroup() as group:
            group.create_task(at(1, service, gone=True))
            run = group.create_task(client.create_many(1200))
        outcomes = run.result()
        kinds = errors(outcomes)
        # What was sent may have happened, and nobody can look; the rest was never sent.
        assert set(kinds) == {OutcomeUnknownError, OutageError}
        assert kinds[OutageError] > 500
        assert len(outcomes) == 1200
        assert 60 < now() < 1 + 3 + 60 + 10
        sent = [item for item in outcomes if not is_out(item)]
        assert sum(item.attempts for item in sent) == service.posts

    @simulated
    async def test_a_run_of_few_does_not_use_up_its_existence_checks_in_an_outage(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            group.create_task(at(280, service, gone=False))
            run = group.create_task(client.create_many(4))
        assert all_created(run.result(), 4)
        assert client.executor.counts.attempts > 40
        # Nothing is sent again without having looked.
        assert service.posts == 8

    @simulated
    async def test_a_run_of_few_gives_up_in_time_too(self) -> None:
        """Their back-off is so long that it would always be time for one of them to ask."""
        service = Service(gone=True)
        async with simulated_client(service, patience=60) as client:
            outcomes = await client.create_many(3)
        assert set(errors(outcomes)) <= {OutcomeUnknownError, OutageError}
        assert errors(outcomes).total() == 3
        assert 60 < now() < 60 + 50

    @simulated
    async def test_no_item_waits_for_budget_after_the_outage_timeout(self) -> None:
        """Not even where others use up all of the budget."""
        service = Service(gone=True)
        async with simulated_client(service, patience=30) as client:
            spending = asyncio.create_task(spend_all(client))
            outcomes = await client.create_many(100)
            spending.cancel()
        assert errors(outcomes).total() == 100
        assert now() < 30 + 10

    @simulated
    async def test_a_call_after_the_outage_timeout_does_not_wait(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, patience=10) as client:
            await client.create_many(100)
            start = now()
            assert set(errors(await client.create_many(100))) <= {OutageError, OutcomeUnknownError}
            assert now() - start < 10

    @simulated
    async def test_an_input_that_is_awaited_is_read_to_its_end_all_the_same(self) -> None:
        async def requests() -> AsyncIterator[NewRestream]:
            for new in wanted(200):
                await asyncio.sleep(0.01)
                yield new

        service = Service(gone=True)
        async with simulated_client(service, patience=10) as client:
            run = BulkRun(client.executor, client.api, client.creator, requests())
            async with run:
                outcomes = [outcome async for outcome in run]
        assert set(errors(outcomes)) == {OutcomeUnknownError, OutageError}
        assert len(outcomes) == 200

    @simulated
    async def test_a_service_that_comes_back_after_it_was_given_up_is_found(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, patience=10) as client:
            await client.create_many(100)
            service.gone = False
            await asyncio.sleep(10)
            assert all_created(await client.create_many(100), 100)
            assert client.executor.limiter.state == "closed"

    @simulated
    async def test_the_look_at_the_end_of_a_run_is_patient_too(self) -> None:
        service = Service(sheds=5)
        async with (
            simulated_client(service, ceiling=8, deadline=30) as client,
            asyncio.TaskGroup() as group,
        ):
            run = client.run(40)
            async with run:
                outcomes = [await anext(run) for _ in range(40)]
                service.gone = True
                group.create_task(at(now() + 200, service, gone=False))
                assert [outcome async for outcome in run] == []
        assert all_created(outcomes, 40)
        assert run.unchecked == 0
        assert now() > 200

    @simulated
    async def test_one_that_hangs_is_gone_too(self) -> None:
        service = Service()
        async with simulated_client(service) as client, asyncio.TaskGroup() as group:
            group.create_task(at(1, service, hanging=True))
            group.create_task(at(40, service, hanging=False))
            run = group.create_task(client.create_many(600))
            await asyncio.sleep(20)
            assert client.executor.limiter.state == "open"
        assert all_created(run.result(), 600)

    @simulated
    async def test_one_that_hangs_does_not_outlast_patience_by_much(self) -> None:
        """By one attempt that asks, the wait after it, and the last look of those in doubt."""
        service = Service(slots=1000)
        async with (
            simulated_client(service, ceiling=64, timeout=30, patience=40) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(at(2, service, hanging=True))
            run = group.create_task(client.create_many(4000))
            await asyncio.sleep(70)
            assert client.executor.limiter.state == "open"
            began = now() - client.executor.limiter.outage_seconds()
        assert errors(run.result()).total() > 1000
        assert 40 <= now() - began < 40 + 30 + 20 + 5 + 1

    @simulated
    async def test_after_a_quiet_hour_no_call_fails_because_of_the_old_outage(
        self,
    ) -> None:
        service = Service(gone=True)
        async with simulated_client(service) as client:
            await several(client, 5)
            assert client.executor.limiter.state == "open"
            service.gone = False
            await asyncio.sleep(3600)
            ends = await several(client, 50, of="later")
        assert {type(end) for end in ends} == {CreateSucceeded}

    @simulated
    async def test_a_run_after_a_quiet_hour_is_patient_anew(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service) as client:
            await several(client, 5)
            service.gone = False
            await asyncio.sleep(3600)
            service.sheds = 1
            assert all_created(await client.create_many(1000), 1000)

    @simulated
    async def test_what_is_cancelled_leaves_the_one_that_asks_alone(self) -> None:
        service = Service(hanging=True)
        async with simulated_client(service, timeout=60) as client, asyncio.TaskGroup() as group:
            before = [group.create_task(several(client, 1, of=str(n))) for n in range(5)]
            await asyncio.sleep(0.1)
            for _ in range(10):
                client.executor.limiter.failed(SHED.error)
                await asyncio.sleep(0.2)
            asking = group.create_task(several(client, 5, of="later"))
            await asyncio.sleep(10)
            assert len(service.sent) == 6
            for task in before:
                task.cancel()
                await asyncio.sleep(6)
            assert len(service.sent) == 6
            asking.cancel()

    @simulated
    async def test_a_single_creation_pays_for_its_retries_after_patience_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(gone=True)
        async with simulated_client(service, patience=5, deadline=20) as client:
            await client.create_many(100)
            assert client.executor.limiter.given_up
            retries = client.executor.counts.retries

            def spend(_: float) -> bool:
                return False

            monkeypatch.setattr(client.executor.budget, "spend", spend)
            await several(client, 1, of="later")
            assert client.executor.counts.retries == retries

    @simulated
    async def test_a_single_creation_outlasts_the_patience_of_the_client(self) -> None:
        service = Service(gone=True)
        async with (
            simulated_client(service, patience=5, deadline=60) as client,
            asyncio.TaskGroup() as group,
        ):
            await several(client, 5)
            group.create_task(at(now() + 20, service, gone=False))
            ends = await several(client, 10, of="later")
        assert {type(end) for end in ends} == {CreateSucceeded}

    @simulated
    async def test_a_single_creation_waits_within_its_own_deadline_only(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, deadline=25, patience=300) as client:
            run = asyncio.create_task(client.create_many(100))
            await asyncio.sleep(10)
            assert client.executor.limiter.state == "open"
            alone = [
                client.creator.create(another(number), client.executor.begin_call())
                for number in range(5)
            ]
            ends = await asyncio.gather(*alone)
            # At the latest; and the last look of one that was sent.
            assert 10 + 25 <= now() <= 10 + 25 + 5
            assert client.executor.limiter.state == "open"
            kinds = Counter(type(end.error) for end in ends if isinstance(end, CreateFailed))
            assert kinds.total() == 5
            assert kinds[OutageError]
            assert not run.done()
            run.cancel()
            await asyncio.wait([run])

    @simulated
    async def test_a_single_creation_does_not_wait_longer_for_an_equal_one_that_waits(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, deadline=25, patience=300) as client:
            run = asyncio.create_task(client.create_many(100))
            await asyncio.sleep(10)
            held = [client.creator.create(new, client.executor.begin_call()) for new in wanted(5)]
            ends = await asyncio.gather(*held)
            assert now() == pytest.approx(10 + 25)
            assert [type(end.error) for end in ends if isinstance(end, CreateFailed)] == [
                OutageError
            ] * 5
            assert [end.attempts for end in ends] == [0] * 5
            run.cancel()
            await asyncio.wait([run])

    @simulated
    async def test_a_single_creation_is_done_if_it_comes_back_before(self) -> None:
        service = Service(gone=True)
        async with simulated_client(service, deadline=60) as client, asyncio.TaskGroup() as group:
            run = group.create_task(client.create_many(100))
            await asyncio.sleep(10)
            alone = group.create_task(
                client.creator.create(another(), client.executor.begin_call())
            )
            await asyncio.sleep(10)
            service.gone = False
        assert isinstance(alone.result(), CreateSucceeded)
        assert all_created(run.result(), 100)


@simulated
async def test_cancellations_say_nothing_about_the_service() -> None:
    """Neither about its load nor about whether it is there."""
    service = Service(slots=1000, took=10)
    async with simulated_client(service, timeout=60) as client:
        for _ in range(20):
            tasks = [
                asyncio.create_task(client.creator.create(new, client.executor.begin_call()))
                for new in wanted(8)
            ]
            await asyncio.sleep(1)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert client.executor.limiter.limit == 64
        assert client.executor.limiter.state == "closed"
        assert client.executor.limiter.in_flight == 0
        service.took = 0.05
        assert all_created(await client.create_many(100), 100)


@simulated
@pytest.mark.parametrize(("deadline", "says_something"), [(1.5, False), (4.0, True)])
async def test_an_attempt_that_its_deadline_cuts_short_says_nothing_about_the_service(
    deadline: float,
    says_something: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Less than three times what an answer of an idle service takes is too little to judge by."""
    service = Service(slots=1000, took=1.0)
    async with simulated_client(service, deadline=deadline, timeout=30) as client:
        # A round of answers, from which the usual latency is known.
        await several(client, 64)
        service.dropping = True
        request = client.api.create(another())
        cut = await client.executor.attempt(
            request, serialization.read_restream, client.executor.begin_call()
        )
        assert isinstance(cut, Failure)
        assert isinstance(cut.error, AttemptTimeoutError)
        assert (client.executor.limiter.last is not None) is says_something
