from itertools import cycle, islice

import pytest

from restream_async.error_allowance import ErrorAllowance


class Service:
    """Answers at a limit, one after the other; every so many of them is an error."""

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
        # The first error ends the time of the whole limit, the second is where counting begins.
        assert service.errors(2 + 15, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    def test_then_so_many_are_forgiven_and_a_quarter_more(self) -> None:
        service = learned(every=4)
        assert service.forgiven(every=4) == 500
        assert service.allowance.after_growth == pytest.approx(0.25 * 1.25)

    def test_and_no_more_than_a_third(self) -> None:
        assert learned(every=3, then=4).allowance.after_growth == 0.33

    def test_more_in_a_row_are_chance_then(self) -> None:
        service = learned(every=3, then=4)
        service.good(1)
        # 0.33 to the power of 6 is more than 1 in 1,000.
        assert service.forgiven() == 6

    def test_one_in_two_is_never_a_service_of_its_own(self) -> None:
        service = halved(every=2)
        assert service.errors(500, every=2) == []

    def test_fewer_errors_with_half_of_the_limit_are_load(self) -> None:
        service = halved(every=4)
        assert service.errors(500, every=9) == []

    def test_half_as_many_are_not(self) -> None:
        assert halved(every=4).errors(500, every=7)[0] == 64.0

    def test_those_that_were_sent_before_do_not_count(self) -> None:
        service = halved(every=4)
        sent = service.now - 1
        assert [service.error(started=sent) for _ in range(500)] == [None] * 500
        assert service.errors(16, every=4) == []
        assert service.errors(1, every=4) == [64.0]

    def test_of_a_limit_below_16_nothing_is_concluded(self) -> None:
        service = Service(15.0)
        service.errors(20, every=4)
        service.limit = 7.0
        assert service.errors(500, every=4) == []

    @pytest.mark.parametrize(("calm", "found"), [(48, [64.0]), (55, [])])
    def test_after_a_time_without_errors_it_begins_again(
        self, calm: int, found: list[float]
    ) -> None:
        service = halved(every=4)
        service.good(calm)
        assert service.errors(40, every=4)[:1] == found

    def test_so_do_the_errors_that_are_forgiven(self) -> None:
        service = learned(every=4)
        service.good(30)
        assert service.forgiven() == 3


def halved(every: int) -> Service:
    """Return a service with so many errors, whose limit has just been halved."""
    service = Service()
    service.errors(20, every=every)
    service.limit = 32.0
    service.errors(1, every=every)
    return service


def learned(every: int, then: int | None = None) -> Service:
    """Return a service whose errors are known to be its own."""
    service = halved(every)
    assert service.errors(30, every=every, then=then) == [64.0]
    service.limit = 64.0
    return service
