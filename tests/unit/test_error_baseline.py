import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async.error_baseline import LOWEST, ErrorBaseline
from tests.unit.strategies import quick


def learned(share: float) -> ErrorBaseline:
    """Return the baseline of a service of which so many answers are known to be errors."""
    baseline = ErrorBaseline(64.0)
    baseline.learn(share)
    return baseline


def forgiven_in_a_row(baseline: ErrorBaseline) -> int:
    count = 0
    while baseline.forgives():
        count += 1
    return count


class TestShare:
    """What is forgiven in the long run."""

    @pytest.mark.parametrize(
        ("measured", "share"),
        [(0.0, 0.05), (0.03, 0.05), (0.04, 0.06), (0.08, 0.12), (0.1, 0.15), (0.5, 0.15)],
    )
    def test_half_as_much_again_as_was_measured_from_5_to_15_percent(
        self, measured: float, share: float
    ) -> None:
        assert learned(measured).share == pytest.approx(share)

    def test_a_service_that_nothing_is_known_about_has_the_lowest(self) -> None:
        assert ErrorBaseline(64.0).share == LOWEST == 0.05

    @pytest.mark.parametrize(("measured", "more"), [(0.0, False), (0.033, False), (0.034, True)])
    def test_it_is_known_whether_there_are_more_errors_than_most_have(
        self,
        measured: float,
        *,
        more: bool,
    ) -> None:
        assert learned(measured).learned is more

    @pytest.mark.parametrize("measured", [0.0, 0.06, 0.1])
    def test_of_many_errors_in_a_row_those_beyond_the_share_count(self, measured: float) -> None:
        baseline = learned(measured)
        forgiven_in_a_row(baseline)
        forgiven = 0
        for number in range(2000):
            if number % 2:
                baseline.answered()
            else:
                forgiven += baseline.forgives()
        assert forgiven == pytest.approx(1000 * baseline.share, abs=1.01)

    @pytest.mark.parametrize("share", [0.05, 0.08, 0.1])
    def test_errors_that_come_by_chance_at_the_share_are_all_forgiven(self, share: float) -> None:
        baseline, chance = learned(share), random.Random(1)  # noqa: S311 - no secret
        refused = 0
        for _ in range(2000):
            if chance.random() < share:
                refused += not baseline.forgives()
            else:
                baseline.answered()
        assert refused <= 2000 * share / 50


class TestTokens:
    """How many errors are forgiven at once."""

    @pytest.mark.parametrize(("measured", "tokens"), [(0.0, 4), (0.05, 5), (0.1, 10)])
    def test_there_are_those_of_sixty_answers_and_one(self, measured: float, tokens: int) -> None:
        assert forgiven_in_a_row(learned(measured)) == tokens

    def test_no_more_are_saved_up(self) -> None:
        baseline = ErrorBaseline(64.0)
        for _ in range(1000):
            baseline.answered()
        assert forgiven_in_a_row(baseline) == 4

    def test_each_good_answer_adds_a_share_of_one(self) -> None:
        baseline = learned(0.1)
        forgiven_in_a_row(baseline)
        gaps: list[int] = []
        for _ in range(3):
            answers = 0
            while not baseline.forgives():
                baseline.answered()
                answers += 1
            gaps.append(answers)
        assert sum(gaps) == pytest.approx(3 / 0.15, abs=1)

    def test_a_new_share_begins_with_all_of_them(self) -> None:
        baseline = ErrorBaseline(64.0)
        forgiven_in_a_row(baseline)
        baseline.learn(0.0)
        assert forgiven_in_a_row(baseline) == 4


class TestCounts:
    """What the limiter counts until it knows what the errors come from."""

    def test_it_begins_with_none(self) -> None:
        baseline = ErrorBaseline(64.0)
        assert (baseline.answers, baseline.errors, baseline.cuts) == (0, 0, 0)
        assert baseline.limit == 64.0

    def test_the_share_of_errors_among_all_answers_is_measured(self) -> None:
        baseline = ErrorBaseline(64.0)
        for _ in range(6):
            baseline.answered()
        baseline.answers += 2
        baseline.errors += 2
        assert baseline.measured == 0.25

    @pytest.mark.parametrize("anew", [False, True])
    def test_to_count_anew_keeps_what_is_forgiven(
        self,
        *,
        anew: bool,
    ) -> None:
        baseline = learned(0.1)
        baseline.answers = baseline.errors = baseline.cuts = 3
        baseline.begin(32.0) if anew else baseline.recount()
        assert (baseline.answers, baseline.errors, baseline.cuts) == (0, 0, 0)
        assert baseline.limit == (32.0 if anew else 64.0)
        assert baseline.share == pytest.approx(0.15)


@given(st.floats(0, 1), st.lists(st.booleans(), max_size=300))
@quick
def test_never_is_more_forgiven_than_was_saved_and_earned(
    measured: float, answers: list[bool]
) -> None:
    baseline = learned(measured)
    forgiven = 0
    for good in answers:
        if good:
            baseline.answered()
        else:
            forgiven += baseline.forgives()
    assert forgiven <= 1 + (60 + sum(answers)) * baseline.share + 1e-9
    assert LOWEST <= baseline.share <= 0.15
