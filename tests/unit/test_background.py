import pytest

from restream_async.background import Background


def clean(answers: int = 900) -> Background:
    """Return the background of a service that has shed nothing for so many answers."""
    background = Background()
    for _ in range(answers // 10):
        assert background.note(0, 10) == 0.0
    return background


def shedding(share: float, *, answers: int = 1000) -> Background:
    """Return a background that was found by lowering the limit, without any effect."""
    background = Background()
    background.suspect(share, 0.5)
    assert background.testing
    assert background.note(round(answers * share), answers) == 0.0
    assert not background.testing
    return background


class TestShare:
    """What is believed."""

    def test_at_first_it_is_a_guess(self) -> None:
        assert Background().share == 0.02

    def test_what_is_seen_counts_after_a_window(self) -> None:
        background = clean(140)
        assert background.share == 0.02
        background.note(0, 10)
        assert background.share == 1 / 200

    def test_what_is_old_counts_half(self) -> None:
        background = clean(1050)
        # After 1,050 answers beyond the 50 at first both are halved.
        assert background.share == 0.5 / 550
        background.note(1, 150)
        background.note(0, 150)
        assert background.share == 0.5 / 700, "more than before is not believed"

    def test_more_than_before_is_believed_only_from_a_test(self) -> None:
        background = Background()
        for _ in range(20):
            assert background.note(4, 150) == 0.0
        assert background.share == 0.02
        assert shedding(0.04).share == 0.04

    def test_less_is_believed_at_once(self) -> None:
        background = shedding(0.1, answers=500)
        background.note(5, 150)
        assert background.share == 55 / 650

    def test_a_service_that_sheds_most_is_never_thought_to_do_so_without_load(self) -> None:
        assert shedding(0.9).share == 0.3


class TestExcess:
    """What is more than chance."""

    @pytest.mark.parametrize(
        ("shed", "excess"), [(0, 0.0), (5, 0.0), (7, 0.0), (9, 0.0), (10, 0.06), (54, 0.5)]
    )
    def test_two_and_a_half_standard_deviations_are_chance(self, shed: int, excess: float) -> None:
        """Of 100 answers 4 are expected, and 5 more are chance."""
        assert shedding(0.04).excess(shed, 100) == pytest.approx(excess)

    def test_where_nothing_is_shed_a_single_one_is_too_many(self) -> None:
        assert clean().excess(1, 100) > 0.0
        assert clean().excess(0, 100) == 0.0


class TestNote:
    """The rounds at a limit, taken together."""

    def test_what_is_chance_in_each_may_be_too_much_in_all(self) -> None:
        background = shedding(0.04)
        assert [background.note(3, 30) for _ in range(3)] == [0.0, 0.0, 9 / 90]

    def test_four_are_never_too_many(self) -> None:
        background = clean()
        assert [background.note(1, 10) for _ in range(5)] == [0.0] * 4 + [5 / 50]

    def test_what_is_older_than_a_window_counts_no_more(self) -> None:
        background = clean()
        background.note(1, 10)
        background.note(0, 140)
        assert [background.note(1, 10) for _ in range(5)] == [0.0] * 4 + [5 / 50]


class TestTest:
    """Lower the limit, and see."""

    def test_it_takes_as_many_answers_as_would_shed_eight(self) -> None:
        background = clean()
        background.suspect(0.1, 0.9)
        noted = 0
        while background.testing:
            assert background.note(0, 10) == 0.0
            noted += 10
        assert noted == 80

    @pytest.mark.parametrize(("shed", "share"), [(20, 0.2), (11, 0.11), (10, 0.02)])
    def test_half_of_it_is_the_dividing_line(self, shed: int, share: float) -> None:
        background = Background()
        background.suspect(0.2, 0.8)
        background.note(shed, 100)
        assert background.share == share

    @pytest.mark.parametrize(("shed", "share"), [(75, 0.02), (82, 0.3)])
    def test_a_service_that_is_far_too_full_sheds_at_half_the_limit_too(
        self, shed: int, share: float
    ) -> None:
        """It answers one of eight; of half as many it would answer one of four."""
        background = Background()
        background.suspect(0.875, 0.5)
        background.note(shed, 100)
        assert background.share == share

    def test_nothing_is_too_much_while_it_lasts(self) -> None:
        background = clean()
        background.suspect(0.1, 0.9)
        assert background.note(50, 70) == 0.0
        assert background.testing

    def test_what_was_seen_before_says_nothing(self) -> None:
        background = clean()
        background.note(4, 70)
        background.suspect(0.1, 0.9)
        background.note(0, 70)
        assert background.testing
        background.note(0, 10)
        assert background.share < 0.01

    def test_it_can_be_broken_off(self) -> None:
        background = clean()
        background.suspect(0.1, 0.9)
        background.begin_anew()
        assert not background.testing
