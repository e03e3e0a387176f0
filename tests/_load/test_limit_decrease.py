import pytest

from restream_async._load.load_signal import Signal
from tests.helpers.answer_waves import IDLE, Load, standing


class TestRefusals:
    """503, 504 and time-outs."""

    @pytest.mark.parametrize(("shed", "after"), [(3, 64), (4, 63), (34, 33), (60, 7), (64, 3)])
    def test_the_first_wave_leaves_the_capacity(self, shed: int, after: int) -> None:
        """And three more, as few errors are forgiven."""
        assert Load().wave(shed=shed) == after

    def test_the_second_of_a_later_wave_takes_a_quarter_and_the_others_one_each(self) -> None:
        load = Load(100, ceiling=100)
        load.wave()
        sizes: list[int] = []
        for _ in range(7):
            load.answer(Signal.SHED)
            sizes.append(load.value)
        assert sizes == [100] * 3 + [99, 74, 73, 72]

    def test_a_quarter_is_one_at_least(self) -> None:
        load = standing(8)
        for _ in range(4):
            load.answer(Signal.SHED)
        assert load.value == 3, "3.25"
        load.now += 1.0
        load.answer(Signal.SHED)
        assert load.value == 2, "2.25"
        load.answer(Signal.SHED)
        assert load.value == 1, "1.25"

    def test_the_second_is_no_second_after_a_growth(self) -> None:
        """That is taken back, and no more."""
        load = standing(20)
        sent = load.now - 1.0
        assert load.waves(2) == [20, 21]
        load.answer(Signal.SHED, started=sent)
        assert load.value == 20

    def test_a_refusal_of_what_was_sent_after_the_first_one_begins_a_wave(self) -> None:
        load = Load(100, ceiling=100)
        load.wave()
        for _ in range(5):
            load.answer(Signal.SHED)
        assert load.value == 74
        load.answer(Signal.SHED, started=load.now + IDLE)
        assert load.value == 73
        load.answer(Signal.SHED, started=load.now + 1.1 * IDLE)
        assert load.value == 72
        load.answer(Signal.SHED, started=load.now + 1.1 * IDLE)
        assert load.value == 54

    def test_the_first_of_a_wave_takes_one(self) -> None:
        load = Load(5, ceiling=5)
        load.waves(2)
        assert load.forgiven() == 3
        sizes = [load.value]
        for _ in range(2):
            load.now += 1
            load.answer(Signal.SHED)
            sizes.append(load.value)
        assert sizes == [4, 3, 2]

    def test_it_never_falls_below_one(self) -> None:
        load = Load()
        for _ in range(100):
            load.wave(shed=100)
        assert load.value == 1

    def test_a_caller_learns_whether_the_limit_has_changed(self) -> None:
        load = Load()
        assert [load.answer(Signal.SHED) for _ in range(6)] == [False] * 3 + [True] * 3
        assert [load.answer() for _ in range(100)].count(True) == 0

    def test_a_caller_learns_of_a_growth(self) -> None:
        load = Load(16, ceiling=32)
        load.wave()
        assert [load.answer() for _ in range(16)] == [False] * 15 + [True]
