from itertools import cycle, islice
from random import Random

import pytest

from restream_async.error_allowance import ErrorAllowance


class Service:
    """Answers at a limit, one after the other; every so many of them are errors."""

    def __init__(self, limit: float = 64.0) -> None:
        self.allowance = ErrorAllowance()
        self.limit = limit
        self.answers = 0
        self.now = 1000.0

    def good(self, count: int) -> None:
        self.answers += count
        self.now += count

    def error(self, *, started: float | None = None) -> float | None:
        """Return the limit to go back to."""
        self.answers += 1
        self.now += 1
        sent = self.now if started is None else started
        return self.allowance.add(self.answers, self.limit, sent, self.now)

    def errors(self, count: int, *, every: int, then: int | None = None) -> list[float]:
        """Let every so many answers be an error, by turns; return the limits to go back to."""
        found: list[float] = []
        for turn in islice(cycle([every, then or every]), count):
            self.good(turn - 1)
            whole = self.error()
            if whole is not None:
                found.append(whole)
        return found

    def forgiven(self, every: int = 1, most: int = 500) -> int:
        """Return how many errors are forgiven until one is not."""
        for count in range(most):
            self.good(every - 1)
            self.error()
            if not self.allowance.forgives():
                return count
        return most


class TestShare:
    """What is forgiven of a service that has said nothing else."""

    @pytest.mark.parametrize(("every", "count"), [(7, 500), (6, 71), (5, 29), (3, 13), (1, 3)])
    def test_fifteen_percent_and_eight_more_but_no_four_in_a_row(
        self, every: int, count: int
    ) -> None:
        assert Service().forgiven(every) == count

    def test_it_is_short_when_half_is_used(self) -> None:
        service = Service()
        short: list[bool] = []
        for _ in range(6):
            service.good(1)
            service.error()
            assert service.allowance.forgives()
            short.append(service.allowance.is_short)
        assert short == [False] * 5 + [True]


class TestOwnErrors:
    """A share that stays the same with half of the limit has nothing to do with load."""

    def test_the_whole_limit_comes_back_after_64_answers(self) -> None:
        service = Service()
        assert service.errors(21, every=4) == []
        service.limit = 32.0
        # The first error is the last one before, and counting starts at the second.
        assert service.errors(2 + 15, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    def test_a_quarter_more_than_the_measured_share_is_forgiven_then(self) -> None:
        service = learned(every=4)
        assert service.forgiven(every=4) == 500
        assert service.allowance.after_growth == pytest.approx(0.25 * 1.25)

    def test_the_allowance_is_full_then(self) -> None:
        service = halved(every=4)
        while service.allowance.forgives():
            pass
        service.errors(17, every=4)
        assert sum(service.allowance.forgives() for _ in range(20)) == 8

    def test_no_more_than_a_third_is_forgiven(self) -> None:
        assert learned(every=3, then=4).allowance.after_growth == 0.33

    def test_with_a_larger_share_more_errors_in_a_row_are_chance(self) -> None:
        service = learned(every=3, then=4)
        service.good(1)
        # 0.33 to the power of 6 is more than 1 in 1,000.
        assert service.forgiven() == 6

    def test_half_of_all_answers_are_not_believed_to_be_errors_without_load(self) -> None:
        assert halved(every=2).errors(500, every=2) == []

    @pytest.mark.parametrize(("every", "found"), [(7, [64.0]), (9, [])])
    def test_half_of_the_share_is_the_same_and_less_is_load(
        self, every: int, found: list[float]
    ) -> None:
        assert halved(every=4).errors(500, every=every)[:1] == found

    def test_requests_that_were_sent_before_the_limit_was_halved_do_not_count(self) -> None:
        service = halved(every=4)
        sent = service.now
        assert [service.error(started=sent) for _ in range(500)] == [None] * 500
        assert service.errors(16, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    @pytest.mark.parametrize(("limit", "found"), [(4.0, [4.0]), (3.9, [])])
    def test_limits_below_four_are_not_compared(self, limit: float, found: list[float]) -> None:
        service = Service(limit)
        service.errors(20, every=4)
        service.limit = limit / 2
        assert service.errors(50, every=4)[:1] == found

    def test_a_share_is_measured_by_64_answers_before_too(self) -> None:
        service = Service()
        service.errors(3, every=2)
        service.limit = 32.0
        # 60 more are needed, and then 64 at half of the limit.
        assert service.errors(15 + 1 + 15, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    def test_the_whole_limit_is_the_highest_one(self) -> None:
        service = Service()
        service.errors(20, every=4)
        service.limit = 100.0
        service.errors(20, every=4)
        service.limit = 50.0
        assert service.errors(30, every=4)[:1] == [100.0]

    def test_errors_above_half_of_the_limit_are_not_counted_as_below(self) -> None:
        service = halved(every=4)
        service.errors(10, every=4)
        service.limit = 60.0
        service.errors(500, every=4)
        service.limit = 32.0
        assert service.errors(1 + 16, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    def test_old_errors_count_less(self) -> None:
        service = Service()
        service.errors(10_000, every=20)
        # The service has become overloaded: the share of this minute is the one to compare with.
        service.errors(600, every=2)
        service.limit = 32.0
        assert service.errors(500, every=8) == []

    def test_it_begins_again_when_something_else_has_changed_the_limit(self) -> None:
        service = halved(every=4)
        service.allowance.forget()
        assert service.errors(500, every=4) == []


class TestOutage:
    """All requests fail in an outage, so the share before it says nothing."""

    def test_a_share_that_lasts_at_a_low_limit_is_learned_but_the_limit_stays(self) -> None:
        service = after_outage()
        assert service.errors(100, every=4) == []
        assert service.allowance.after_growth == pytest.approx(0.25 * 1.25)

    @pytest.mark.parametrize(("every", "limit"), [(2, 16.0), (7, 16.0), (4, 17.0)])
    def test_not_a_larger_or_smaller_one_or_at_more_than_a_quarter_of_the_limit(
        self, every: int, limit: float
    ) -> None:
        service = after_outage()
        service.limit = limit
        service.errors(500, every=every)
        assert service.allowance.after_growth == 0.03


class TestRecovery:
    """After 107 answers without an error the least share is forgiven again."""

    @pytest.mark.parametrize(("good", "share"), [(105, 0.25 * 1.25), (106, 0.03)])
    def test_a_share_is_forgotten(self, good: int, share: float) -> None:
        service = learned(every=4)
        service.good(good)
        service.error()
        assert service.allowance.after_growth == pytest.approx(share)

    @pytest.mark.parametrize(("good", "found"), [(102, [64.0]), (103, [])])
    def test_so_are_the_errors_so_far(self, good: int, found: list[float]) -> None:
        service = halved(every=4)
        service.good(good)
        assert service.errors(500, every=4)[:1] == found


class TestChance:
    """Errors do not come evenly."""

    @pytest.mark.parametrize("seed", range(5))
    def test_one_in_four_is_learned_once(self, seed: int) -> None:
        service = halved(every=4)
        random = Random(seed)  # noqa: S311 - no secret
        found: list[float] = []
        for _ in range(20_000):
            if random.random() < 0.25:
                whole = service.error()
                if whole is not None:
                    found.append(whole)
                    service.limit = whole
            else:
                service.good(1)
        assert found == [64.0]


def halved(every: int) -> Service:
    """Return a service with so many errors, whose limit has just been halved."""
    service = Service()
    service.errors(50, every=every)
    service.limit = 32.0
    service.errors(1, every=every)
    return service


def learned(every: int, then: int | None = None) -> Service:
    """Return a service whose errors are known to be its own."""
    service = halved(every)
    assert service.errors(30, every=every, then=then) == [64.0]
    service.limit = 64.0
    return service


def after_outage() -> Service:
    """Return a service that has answered with nothing but errors until the limit was low."""
    service = Service()
    service.errors(70, every=1)
    service.limit = 16.0
    service.errors(1, every=1)
    return service
