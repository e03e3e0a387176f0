import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._retry.budget import MOST, RESERVE, SHARE, TRICKLE, RetryBudget
from tests.helpers.strategies import quick


class Bucket:
    """A budget on a clock set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.budget = RetryBudget(lambda: self.now)

    def spent(self, wanted: int = 10_000) -> int:
        """Spend as much as there is, up to so many; return how many there were."""
        return next((number for number in range(wanted) if not self.budget.spend()), wanted)


def test_a_budget_begins_with_the_reserve() -> None:
    bucket = Bucket()
    assert bucket.budget.available == 20
    assert bucket.spent() == 20
    assert bucket.budget.available == 0


def test_every_second_call_pays_for_a_retry() -> None:
    bucket = Bucket()
    bucket.spent()
    for _ in range(9):
        bucket.budget.record_call()
    assert bucket.budget.available == 4
    assert bucket.spent() == 4
    bucket.budget.record_call()
    assert bucket.spent() == 1, "the half of before is not lost"


def test_to_ask_changes_nothing() -> None:
    """Metrics are read in another thread."""
    bucket = Bucket()
    bucket.spent(5)
    bucket.now += 0.35
    before = {**vars(bucket.budget)}
    assert bucket.budget.available == 18
    assert vars(bucket.budget) == before


def test_a_quiet_time_fills_the_reserve_up_and_no_more() -> None:
    bucket = Bucket()
    bucket.spent()
    bucket.now += 0.75
    assert bucket.budget.available == 7
    bucket.now += 3600
    assert bucket.budget.available == 20
    assert bucket.spent() == 20


def test_idle_time_adds_no_more_than_the_reserve() -> None:
    bucket = Bucket()
    bucket.now += 3600
    assert bucket.spent() == 20
    assert bucket.spent() == 0


def test_more_than_the_reserve_is_saved_up_from_calls_but_not_without_end() -> None:
    bucket = Bucket()
    for _ in range(10_000):
        bucket.budget.record_call()
    assert bucket.budget.available == 200
    bucket.now += 3600
    assert bucket.spent() == 200


def test_a_retry_that_went_well_gives_back_what_it_cost() -> None:
    bucket = Bucket()
    assert bucket.spent(15) == 15
    for _ in range(10):
        bucket.budget.refund()
    assert bucket.spent() == 15


def test_no_more_is_given_back_than_may_be_saved_up() -> None:
    bucket = Bucket()
    for _ in range(1000):
        bucket.budget.refund()
    assert bucket.budget.available == 200


def test_a_free_retry_is_always_allowed() -> None:
    bucket = Bucket()
    bucket.spent()
    assert bucket.budget.spend(0.0)
    assert bucket.budget.available == 0


@pytest.mark.parametrize(("waiting", "seconds"), [(0, 0.1), (1, 0.1), (5, 0.5), (20, 2), (1000, 2)])
def test_the_more_calls_wait_the_less_often_each_tries_again(waiting: int, seconds: float) -> None:
    budget = Bucket().budget
    budget.waiting = waiting
    assert budget.pause == seconds


@given(
    st.lists(
        st.tuples(st.sampled_from(["call", "retry", "success", "wait"]), st.integers(1, 60)),
        max_size=60,
    )
)
@quick
def test_failed_retries_never_exceed_their_share(
    happenings: list[tuple[str, int]],
) -> None:
    """Over all calls, besides the reserve and what trickles into it."""
    bucket = Bucket()
    calls = retries = seconds = 0
    for what, times in happenings:
        match what:
            case "call":
                calls += times
                for _ in range(times):
                    bucket.budget.record_call()
            case "retry":
                retries += bucket.spent(times)
            case "success":
                # Of some of the retries; the others were in vain.
                for _ in range(min(times, retries)):
                    bucket.budget.refund()
                retries -= min(times, retries)
            case _:
                seconds += times
                bucket.now += times
        most = SHARE * calls + RESERVE + TRICKLE * seconds
        assert retries <= most
        assert bucket.budget.available <= min(MOST, most - retries)
