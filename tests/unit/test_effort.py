"""How busy this side is itself."""

import pytest

from restream_async.adaptive_limit import AdaptiveLimit, Signal
from restream_async.effort import FULL, Effort


class Clocks:
    """Two clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.spent = 7.0

    def effort(self) -> Effort:
        return Effort(lambda: self.now, lambda: self.spent)


@pytest.mark.parametrize(
    ("elapsed", "spent", "full"),
    [
        (1.0, FULL + 0.01, True),
        (1.0, FULL - 0.01, False),
        (0.001, 0.001, True),
        (10.0, 0.0, False),
        (0.0, 0.0, False),
        (0.0, 1.0, False),
    ],
)
def test_it_compares_what_was_spent_with_what_went_by(
    elapsed: float,
    spent: float,
    full: bool,  # noqa: FBT001 - a parameter
) -> None:
    clocks = Clocks()
    effort = clocks.effort()
    clocks.now += elapsed
    clocks.spent += spent
    assert effort.was_full() is full


def test_each_time_counts_by_itself() -> None:
    clocks = Clocks()
    effort = clocks.effort()
    clocks.now, clocks.spent = clocks.now + 1, clocks.spent + 1
    assert effort.was_full()
    clocks.now += 1
    assert not effort.was_full()
    clocks.now, clocks.spent = clocks.now + 1, clocks.spent + 1
    assert effort.was_full()


def after(answers: int, limit: AdaptiveLimit, latency: float) -> int:
    """Return the limit after so many answers that take so many seconds, with all places taken."""
    for _ in range(answers):
        limit.record(Signal.GOOD, latency, limit.value, "POST")
    return limit.value


@pytest.mark.parametrize("busy", [True, False])
def test_latency_says_nothing_of_the_service_where_the_client_has_no_time(
    busy: bool,  # noqa: FBT001 - a parameter
) -> None:
    limit = AdaptiveLimit(64, lambda: busy)
    assert after(2000, limit, 0.1) == 64
    reached = after(500, limit, 0.5)
    assert (reached == 64) is busy


def test_shedding_counts_all_the_same() -> None:
    limit = AdaptiveLimit(64, lambda: True)
    after(2000, limit, 0.1)
    for _ in range(1000):
        limit.record(Signal.SHED, 0.1, limit.value, "POST")
    assert limit.value < 16
