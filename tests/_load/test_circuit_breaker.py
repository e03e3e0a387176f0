from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import TransportError
from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.rate_limit import RateLimit
from restream_async._retry.classification import Classification, Failure
from restream_async.errors import Call
from tests.helpers.simulated_service import SHED
from tests.helpers.strategies import quick

_REFUSED = Failure(
    Classification.NOT_DONE,
    TransportError(Call("POST", "/restreams"), detail="refused", sent=False),
)


class Service:
    """What becomes of attempts at it, on a clock set by hand."""

    def __init__(
        self, *, patience: float = 300, chance: float = 1.0, longest_pause: float = 0.0
    ) -> None:
        self.now = 100.0
        self.chance = chance
        self.breaker = CircuitBreaker(
            patience, lambda: self.now, lambda: self.chance, longest_pause=longest_pause
        )

    def refuses(self, times: int, *, within: float = 0.0) -> list[bool]:
        """Refuse so many connections in so many seconds; return which of them began an outage."""
        self.now += 0.5
        start, began = self.now, list[bool]()
        for number in range(times):
            self.now = start + within * number / max(1, times - 1)
            began.append(self.breaker.record_failure(connected=False, latency=0.5))
        return began

    def fails(self, times: int, *, within: float = 0.0) -> bool:
        """Fail so often in so many seconds; return whether that began an outage."""
        start = self.now
        began: list[bool] = []
        for number in range(times):
            self.now = start + within * number / (times - 1)
            began.append(self.breaker.record_failure())
        assert not any(began[:-1])
        return began[-1]


def test_at_first_the_service_is_there() -> None:
    service = Service()
    assert not service.breaker.is_open
    assert not service.breaker.timed_out
    assert service.breaker.outage_seconds() == 0


class TestBeginning:
    """Nothing succeeds any more: many failures in a row, for some time."""

    def test_ten_failures_in_a_row_within_a_second_or_more_begin_one(self) -> None:
        service = Service()
        assert service.fails(10, within=1.0)
        assert service.breaker.is_open

    def test_nine_failures_begin_none_over_any_time(self) -> None:
        """A single call gives up after its five attempts, and is not held."""
        service = Service()
        assert not service.fails(9, within=3600)
        assert not service.breaker.is_open

    def test_a_burst_does_not(self) -> None:
        """64 in flight that meet one hiccup fail all at once."""
        service = Service()
        assert not service.fails(64, within=0.5)
        service.now += 0.5
        assert service.breaker.record_failure()

    def test_a_success_in_between_shows_that_it_is_there(self) -> None:
        service = Service()
        service.fails(9, within=2.0)
        assert not service.breaker.record_success()
        assert not service.fails(9, within=2.0)
        assert service.breaker.record_failure()

    def test_it_begins_once(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        assert [service.breaker.record_failure() for _ in range(20)] == [False] * 20


class TestNeverReached:
    """A service to which nobody has ever connected is probably not there."""

    def test_three_failures_to_connect_within_a_second_or_more_begin_an_outage(self) -> None:
        service = Service()
        assert service.refuses(3, within=1.0) == [False, False, True]
        assert not service.breaker.reached

    def test_a_burst_does_not(self) -> None:
        service = Service()
        assert not any(service.refuses(64, within=0.9))
        service.now += 0.1
        assert service.refuses(1) == [True]

    def test_time_outs_of_what_was_sent_must_be_ten(self) -> None:
        """A service that is slow from the beginning is no wrong address."""
        service = Service()
        for _ in range(9):
            assert not service.breaker.record_failure()
            service.now += 1
        assert service.breaker.record_failure()

    @pytest.mark.parametrize("patience", [10, 300])
    def test_it_is_given_up_after_half_a_minute_at_the_most(self, patience: float) -> None:
        service = Service(patience=patience)
        assert service.breaker.time_left == min(30, patience)
        service.refuses(3, within=1.0)
        service.now += min(30, patience)
        assert service.breaker.timed_out
        assert service.breaker.time_left == 0

    @pytest.mark.parametrize("good", [True, False])
    def test_any_connection_makes_it_an_ordinary_one(self, *, good: bool) -> None:
        service = Service()
        if good:
            assert not service.breaker.record_success()
        else:
            service.breaker.record_failure()
        assert service.breaker.reached
        assert service.breaker.time_left == 300
        assert service.refuses(9, within=1.0)[:-1] == [False] * 8

    def test_a_connection_in_the_outage_gives_it_all_of_the_patience(self) -> None:
        service = Service()
        service.refuses(3, within=1.0)
        service.now += 31
        assert service.breaker.timed_out
        service.breaker.record_failure()
        assert service.breaker.is_open
        assert not service.breaker.timed_out


class TestHeld:
    """Time in which nobody gets through is nobody's."""

    def test_it_begins_with_the_first_attempt_that_cannot_connect(self) -> None:
        service = Service()
        service.breaker.record_success()
        service.refuses(2, within=0.3)
        assert not service.breaker.is_open
        assert service.breaker.outage_seconds() == pytest.approx(0.5 + 0.3)
        service.now += 1
        service.breaker.record_success()
        service.now += 100
        assert service.breaker.outage_seconds() == pytest.approx(0.5 + 1.3)

    def test_it_ends_with_the_first_that_can(self) -> None:
        service = Service()
        service.refuses(1)
        service.now += 1
        service.breaker.record_failure()
        service.now += 100
        assert service.breaker.outage_seconds() == pytest.approx(1.5)

    def test_it_does_not_begin_before_the_last_success(self) -> None:
        """A connection that times out after 30 s, beside others that succeed meanwhile."""
        service = Service()
        start = service.now
        for _ in range(10):
            service.now += 30
            service.breaker.record_success()
            service.now += 0.5
            service.breaker.record_failure(connected=False, latency=30.5)
            service.now += 0.5
            service.breaker.record_success()
        assert service.breaker.outage_seconds() == 10
        assert service.now - start == 310

    def test_an_outage_only_prolongs_it(self) -> None:
        service = Service()
        service.refuses(3, within=1.0)
        assert service.breaker.is_open
        service.now += 10
        service.breaker.record_failure()
        assert service.breaker.outage_seconds() == pytest.approx(0.5 + 11)

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 40),
                st.sampled_from(["begins", "begins", "succeeds", "sheds", "connects not", "probe"]),
                st.integers(0, 100),
            ),
            max_size=60,
        )
    )
    @quick
    def test_it_is_never_more_than_the_time_that_has_passed(
        self, happenings: Sequence[tuple[int, str, int]]
    ) -> None:
        """However many attempts overlap, and however long each of them takes."""
        service = Service()
        limiter = ConcurrencyLimiter(
            AdaptiveLimit(8), RateLimit(lambda: service.now), service.breaker
        )
        start, begun, held = service.now, [service.now], limiter.outage_seconds()
        for seconds, what, which in happenings:
            service.now += seconds
            latency = service.now - begun[which % len(begun)]
            match what:
                case "begins":
                    begun.append(service.now)
                case "succeeds":
                    limiter.succeeded()
                case "sheds":
                    limiter.failed(SHED.error, latency=latency)
                case "connects not":
                    limiter.failed(_REFUSED.error, connected=False, latency=latency)
                case _:
                    service.breaker.probe_sent(waited=which % 2 == 0)
            assert held <= limiter.outage_seconds() <= service.now - start
            held = limiter.outage_seconds()


class TestProbes:
    """One at a time asks, at growing intervals."""

    def test_they_come_ever_more_rarely_up_to_five_seconds(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        waits: list[float] = []
        for _ in range(6):
            waits.append(service.breaker.until_probe)
            service.now += waits[-1]
            service.breaker.probe_sent()
            service.breaker.probe_ended()
        assert waits == pytest.approx([0.5, 1, 2, 4, 5, 5])

    def test_chance_spreads_them_over_the_second_half_of_each_interval(self) -> None:
        """So that many clients do not ask at the same moment."""
        service = Service(chance=0.0)
        service.fails(10, within=1.0)
        assert service.breaker.until_probe == pytest.approx(0.25)
        service.chance = 0.5
        service.breaker.probe_sent()
        assert service.breaker.until_probe == pytest.approx(0.75)

    def test_one_that_is_due_stays_due(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        service.now += 60
        assert service.breaker.until_probe == 0

    def test_the_next_outage_begins_with_quick_ones_again(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        for _ in range(5):
            service.breaker.probe_sent()
        service.breaker.record_success()
        service.fails(10, within=1.0)
        assert service.breaker.until_probe == pytest.approx(0.5)


class TestEnd:
    """It is over with the first success, or given up."""

    def test_the_first_success_ends_it(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        assert service.breaker.record_success()
        assert not service.breaker.is_open
        assert not service.breaker.record_success()

    def test_it_is_given_up_when_patience_ends(self) -> None:
        service = Service(patience=60)
        service.fails(10, within=1.0)
        service.now += 59
        assert service.breaker.time_left == pytest.approx(1)
        assert not service.breaker.timed_out
        service.now += 1
        assert service.breaker.timed_out
        assert service.breaker.is_open, "and asked for all the same"

    def test_a_success_after_the_timeout_ends_the_outage(self) -> None:
        service = Service(patience=60)
        service.fails(10, within=1.0)
        service.now += 100
        service.breaker.record_success()
        assert not service.breaker.timed_out
        assert service.breaker.time_left == 60

    def test_the_time_of_all_outages_is_known(self) -> None:
        service = Service()
        service.fails(10, within=1.0)
        service.now += 30
        assert service.breaker.outage_seconds() == 30
        service.breaker.record_success()
        service.now += 1000
        assert service.breaker.outage_seconds() == 30
        service.fails(10, within=1.0)
        service.now += 12
        assert service.breaker.outage_seconds() == 42


class TestQuietTime:
    """Where nobody asks, nobody knows how long the outage lasts."""

    @pytest.mark.parametrize("longest_pause", [0, 80])
    def test_a_request_after_a_quiet_time_has_the_whole_outage_timeout(
        self, longest_pause: float
    ) -> None:
        service = Service(patience=60, longest_pause=longest_pause)
        service.fails(10, within=1.0)
        service.now += 10.1 + longest_pause
        service.breaker.probe_sent()
        assert service.breaker.is_open
        assert service.breaker.time_left == 60
        assert service.breaker.outage_seconds() == pytest.approx(10.1 + longest_pause)
        # And the probes come quickly again.
        assert service.breaker.until_probe == pytest.approx(1)

    def test_it_is_the_same_outage_as_long_as_a_call_may_wait_between_attempts(self) -> None:
        service = Service(patience=60, longest_pause=80)
        service.fails(10, within=1.0)
        service.now += 89
        service.breaker.probe_sent()
        assert service.breaker.timed_out

    def test_there_is_no_quiet_time_while_a_request_waits(self) -> None:
        service = Service(patience=60)
        service.fails(10, within=1.0)
        service.now += 3600
        service.breaker.probe_sent(waited=True)
        assert service.breaker.timed_out

    @pytest.mark.parametrize("fails", [True, False])
    def test_a_probe_that_takes_long_is_no_quiet_time(self, *, fails: bool) -> None:
        """Whether it fails or is broken off."""
        service = Service(patience=60)
        service.fails(10, within=1.0)
        for _ in range(3):
            service.now += 5
            service.breaker.probe_sent()
            service.now += 30
            if fails:
                service.breaker.record_failure()
            service.breaker.probe_ended()
        service.breaker.probe_sent()
        assert service.breaker.timed_out

    def test_what_began_before_it_is_told_from_what_began_in_it(self) -> None:
        service = Service()
        assert not service.breaker.opened_within(1000)
        service.fails(10, within=1.0)
        service.now += 5
        assert service.breaker.opened_within(5.5)
        assert not service.breaker.opened_within(4.5)
