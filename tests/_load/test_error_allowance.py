from itertools import cycle, islice
from random import Random

import pytest

from restream_async._load.error_allowance import ErrorAllowance


class Service:
    """Answers at a limit, one after the other; every so many of them are errors."""

    def __init__(self, limit: float = 64.0, ceiling: float = 256.0) -> None:
        self.allowance = ErrorAllowance(ceiling)
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
            if not self.allowance.forgives(self.now):
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
            assert service.allowance.forgives(service.now)
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

    def test_the_larger_of_both_shares_counts(self) -> None:
        service = halved(every=4)
        assert service.errors(11, every=7) == [64.0]
        assert service.allowance.after_growth == pytest.approx(0.25 * 1.25)

    def test_the_allowance_is_full_then(self) -> None:
        service = halved(every=4)
        sent = service.now
        assert service.errors(16, every=4) == []
        # Late errors of requests that were sent before use it up.
        while not service.allowance.is_short:
            service.good(1)
            service.error(started=sent)
            assert service.allowance.forgives(sent)
        assert service.errors(1, every=4) == [64.0]
        # Of four in a row, 0.31 to the power of 4 is more than 1 in 1,000.
        assert service.forgiven(every=2) > 15

    def test_no_more_than_a_third_is_forgiven(self) -> None:
        assert learned(every=3, then=4).allowance.after_growth == 0.33

    def test_more_errors_in_a_row_are_chance_with_a_larger_share(self) -> None:
        service = learned(every=3, then=4)
        service.good(1)
        # 0.33 to the power of 6 is more than 1 in 1,000.
        assert service.forgiven() == 6

    def test_half_of_all_answers_are_not_believed_to_be_errors_without_load(self) -> None:
        assert halved(every=2).errors(500, every=2) == []

    @pytest.mark.parametrize(("every", "found"), [(7, [64.0]), (8, [64.0]), (9, [])])
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

    @pytest.mark.parametrize(
        ("limit", "ceiling", "found"),
        [
            (16.0, 64.0, [16.0]),
            (15.0, 64.0, []),
            (15.0, 15.0, [15.0]),
            (4.0, 4.0, [4.0]),
            (3.0, 3.0, []),
        ],
    )
    def test_limits_below_16_are_not_compared_unless_they_are_the_ceiling(
        self, limit: float, ceiling: float, found: list[float]
    ) -> None:
        service = Service(limit, ceiling)
        service.errors(20, every=4)
        service.limit = limit / 2
        assert service.errors(50, every=4)[:1] == found

    @pytest.mark.parametrize(("errors", "found"), [(16, []), (17, [64.0])])
    def test_a_share_is_measured_by_64_answers_before_too(
        self, errors: int, found: list[float]
    ) -> None:
        service = Service()
        service.errors(errors - 1, every=4)
        service.limit = 32.0
        assert service.errors(18, every=4) == found

    def test_the_whole_limit_is_the_highest_one(self) -> None:
        service = Service()
        service.errors(20, every=4)
        service.limit = 100.0
        service.errors(20, every=4)
        service.limit = 50.0
        assert service.errors(30, every=4)[:1] == [100.0]

    @pytest.mark.parametrize(("errors", "found"), [(16, []), (17, [100.0])])
    def test_errors_at_a_lower_limit_before_do_not_count(
        self, errors: int, found: list[float]
    ) -> None:
        service = Service()
        service.errors(20, every=4)
        service.limit = 100.0
        service.errors(errors - 1, every=4)
        service.limit = 50.0
        assert service.errors(18, every=4) == found

    @pytest.mark.parametrize("limit", [33.0, 15.0])
    def test_the_limit_must_stay_between_a_half_and_a_quarter(self, limit: float) -> None:
        service = halved(every=4)
        service.errors(10, every=4)
        service.limit = limit
        service.errors(1, every=4)
        service.limit = 32.0
        assert service.errors(16, every=4) == []

    def test_a_third_is_forgiven_until_both_shares_are_known(self) -> None:
        # The allowance alone would be used up by 15.
        assert halved(every=3).forgiven(every=3, most=20) == 20

    def test_no_more_than_six_in_a_row_are_forgiven(self) -> None:
        assert halved(every=4).forgiven() == 6

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


class TestLowLimit:
    """A burst of errors lowers the limit further than to a quarter, whatever the reason."""

    def test_if_errors_last_the_highest_limit_is_tried(self) -> None:
        service = after_burst()
        assert errors_until_tried(service) == pytest.approx(512 / 4, abs=5)
        assert service.allowance.after_growth == 0.03
        assert service.errors(18, every=4)[:1] == [64.0]
        assert service.allowance.after_growth == pytest.approx(0.25 * 1.25)

    def test_a_larger_share_there_is_load(self) -> None:
        service = after_burst()
        errors_until_tried(service)
        assert service.errors(50, every=2) == []
        assert service.allowance.after_growth == 0.03

    @pytest.mark.parametrize("highest", [64.0, 8.0])
    def test_a_smaller_share_there_is_not_load(self, highest: float) -> None:
        service = after_burst(highest)
        errors_until_tried(service)
        assert service.limit == highest
        assert service.errors(18, every=9)[:1] == [highest]

    def test_it_is_tried_after_64_answers_of_a_new_count(self) -> None:
        service = after_burst()
        for _ in range(10):
            service.errors(16, every=4)
            service.allowance.forget()
        assert errors_until_tried(service) == 1 + 64 / 4

    def test_it_is_tried_ever_more_rarely(self) -> None:
        service = after_burst()
        for wait in (512, 1024, 2048):
            assert errors_until_tried(service) == pytest.approx(wait / 4, abs=25)
            service.errors(40, every=2)
            service.limit = 2.0

    @pytest.mark.parametrize("every", [2, 7])
    def test_it_is_not_tried_among_many_errors_or_as_few_as_are_forgiven(self, every: int) -> None:
        assert after_burst().errors(500, every=every) == []


class TestRecovery:
    """After 107 answers without an error the least share is forgiven again."""

    @pytest.mark.parametrize(("good", "share"), [(105, 0.25 * 1.25), (106, 0.03)])
    def test_a_share_is_forgotten(self, good: int, share: float) -> None:
        service = learned(every=4)
        service.good(good)
        service.error()
        assert service.allowance.after_growth == pytest.approx(share)

    @pytest.mark.parametrize(("good", "found"), [(102, [64.0]), (103, [])])
    def test_the_errors_so_far_are_forgotten_too(self, good: int, found: list[float]) -> None:
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


def errors_until_tried(service: Service) -> int:
    """Return how many errors it takes; the service has the limit that is tried then."""
    for count in range(1, 1_000):
        if found := service.errors(1, every=4):
            (service.limit,) = found
            return count
    raise AssertionError("never")


def after_burst(highest: float = 64.0) -> Service:
    """Return a service that has answered with nothing but errors until the limit was low."""
    service = Service(highest)
    service.errors(10, every=1)
    for limit in (highest / 2, 2.0):
        service.limit = limit
        service.errors(1, every=1)
    return service
