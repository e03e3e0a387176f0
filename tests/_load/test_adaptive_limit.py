import math
import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._load.adaptive_limit import START, AdaptiveLimit
from restream_async._load.load_signal import Signal
from tests.helpers.answer_waves import IDLE, Load, standing
from tests.helpers.simulated_load import Simulation, about, always
from tests.helpers.strategies import quick


class TestStart:
    """As most services have room."""

    @pytest.mark.parametrize(("ceiling", "start"), [(1024, 64), (64, 64), (63, 63), (1, 1)])
    def test_it_starts_at_64_or_its_ceiling(self, ceiling: int, start: int) -> None:
        limit = AdaptiveLimit(ceiling)
        assert (limit.value, limit.ceiling, limit.idle_latency("POST")) == (start, ceiling, None)
        assert START == 64

    def test_while_nothing_is_refused_it_doubles(self) -> None:
        assert Load(ceiling=1000).waves(8) == [64, 128, 128, 256, 256, 512, 512, 1000]

    def test_answers_that_take_no_time_are_no_reason_to_stop(self) -> None:
        assert Load().waves(4, 0.0) == [64, 128, 128, 256]


class TestIdleLatency:
    """What an answer takes while there is little to do."""

    def test_it_is_known_after_a_round(self) -> None:
        load = Load(16, ceiling=16)
        for _ in range(15):
            load.answer()
        assert load.limit.idle_latency("POST") is None
        load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)
        assert load.limit.idle_latency("GET") is None

    def test_the_least_counts(self) -> None:
        load = Load(16, ceiling=16)
        for latency in (0.3, 0.1, 0.2):
            load.wave(latency)
        assert load.limit.idle_latency("POST") == pytest.approx(0.1)

    def test_it_is_surely_no_less(self) -> None:
        """Two standard errors above the mean of the logarithms."""
        load = Load(16, ceiling=16)
        for number in range(16):
            load.answer(latency=0.1 if number % 2 else 0.4)
        assert load.limit.idle_latency("POST") == pytest.approx(0.2 * math.exp(math.log(2) / 2))

    @pytest.mark.parametrize(("count", "known"), [(4, False), (5, True)])
    def test_five_of_a_kind_say_something(
        self,
        count: int,
        *,
        known: bool,
    ) -> None:
        load = Load(16, ceiling=16)
        for _ in range(count):
            load.answer(kind="GET", latency=0.01)
        for _ in range(16):
            load.answer()
        assert (load.limit.idle_latency("GET") is not None) is known

    def test_few_of_many_kinds_make_no_round(self) -> None:
        """What keeps the service busiest has come four times."""
        load = Load(8, ceiling=8)
        for _ in range(4):
            load.answer(kind="PUT", latency=1.0)
        for _ in range(8):
            load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)
        assert load.limit.idle_latency("PUT") is None

    def test_what_an_error_takes_says_nothing(self) -> None:
        load = Load(8, ceiling=8)
        for _ in range(20):
            load.answer(kind="")
        assert load.limit.idle_latency("") is None

    def test_what_was_sent_before_the_limit_changed_belongs_to_the_old_one(self) -> None:
        load = Load(16, ceiling=32)
        sent = load.now
        load.waves(2)
        assert load.value == 32
        for _ in range(40):
            load.answer(started=sent, latency=0.001)
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)


class TestForgivenErrors:
    """A share of 503s is taken for errors that have nothing to do with load."""

    def test_three_in_a_row(self) -> None:
        assert Load().forgiven() == 3

    def test_they_are_earned_again(self) -> None:
        load = Load(100, ceiling=100)
        assert load.wave(shed=3) == 100
        load.wave()
        assert load.wave(shed=3) == 100

    def test_a_refusal_after_a_growth_is_not_forgiven(self) -> None:
        load = standing(20)
        load.waves(2)
        assert (load.value, load.wave(shed=1)) == (21, 20)

    def test_a_refusal_at_the_ceiling_is_forgiven(self) -> None:
        load = standing(20, ceiling=25)
        # Also right after the growth to it.
        while load.value < 25:
            load.wave()
        assert load.wave(shed=3) == 25

    def test_as_many_errors_at_half_of_the_limit_give_it_back(self) -> None:
        load = Load(64, ceiling=64)
        sizes = load.every_fourth_is_refused(2_000)
        assert min(sizes) <= 32
        assert sizes[-1_000:] == [64] * 1_000

    def test_they_say_nothing_about_the_lower_limit_of_an_experiment(self) -> None:
        """As many errors at half of the limit would end it."""
        load = Load(64, ceiling=64)
        sizes: list[int] = []
        for times in (1, 1, 4, 4, 4, *[1] * 6):
            size = load.value
            for number in range(size):
                signal = Signal.SHED if number % 16 == 0 else Signal.GOOD
                load.answer(signal, IDLE * times * 4.5 ** (1 if number % 2 else -1))
            load.now += 2.0
            sizes.append(load.value)
        assert sizes[-6:] == [32] * 6

    def test_then_it_grows_among_as_many_errors(self) -> None:
        load = Load(64, ceiling=64)
        load.every_fourth_is_refused(2_000)
        for _ in range(20):
            load.answer(Signal.SHED)
        assert load.value < 60
        assert load.every_fourth_is_refused(10_000)[-1] == 64


class TestRecently:
    """What the rate limit starts from: a moment, and the answers since."""

    def test_there_is_no_recent_moment_in_the_first_two_rounds(self) -> None:
        load = Load(8, ceiling=8)
        assert load.limit.recently() == (math.inf, 0)
        load.wave()
        assert load.limit.recently() == (math.inf, 8)

    def test_it_is_one_to_two_rounds_ago(self) -> None:
        load = Load(8, ceiling=8)
        first = load.now + IDLE
        load.waves(2)
        assert load.limit.recently() == (first, 8)
        for _ in range(7):
            load.answer()
        assert load.limit.recently() == (first, 15)
        second = load.now - 0.001
        load.answer(Signal.SHED)
        assert load.limit.recently() == (first, 16)
        load.answer()
        since, answers = load.limit.recently()
        assert since == pytest.approx(second)
        assert answers == 9


class TestOtherKinds:
    """A list is quicker than a creation at any load."""

    def test_each_kind_has_its_own_normal_latency(self) -> None:
        load = Load(ceiling=64)
        assert [load.wave(0.001, kind="GET") for _ in range(5)] == [64] * 5
        assert [load.wave(0.1) for _ in range(5)] == [64] * 5
        assert [load.wave(0.001, kind="GET") for _ in range(5)] == [64] * 5

    @pytest.mark.parametrize(("quick", "slow", "after"), [(1, 2, 4), (2, 1, 8)])
    def test_what_keeps_the_service_busiest_says_how_slow_it_is(
        self, quick: int, slow: int, after: int
    ) -> None:
        load = Load(8, ceiling=8)
        sizes: list[int] = []
        for number in range(4):
            for _ in range(7):
                load.answer(latency=0.1 * (slow if number > 1 else 1))
            for _ in range(8):
                load.answer(kind="GET", latency=0.01 * (quick if number > 1 else 1))
            load.now += 1
            sizes.append(load.value)
        assert sizes == [8, 8, 8, after]

    def test_an_experiment_ends_when_the_kind_changes(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.waves(2, IDLE * 2) == [64, 32]
        assert load.wave(kind="GET", latency=0.01) == 64
        assert load.waves(2, IDLE * 2) == [32, 64], "a new one, as the first found nothing"

    def test_two_slow_rounds_of_two_kinds(self) -> None:
        """The experiment compares those of the second kind."""
        load = Load(ceiling=64)
        load.wave()
        load.wave(0.02, kind="GET")
        load.wave(IDLE * 2)
        assert load.wave(0.04, kind="GET") == 32
        assert load.wave(0.04, kind="GET") == 64


class TestChance:
    """Latencies that vary by themselves move the mean of a round by one or two standard errors."""

    @pytest.mark.parametrize(("times", "slow"), [(1.8, False), (1.87, True)])
    def test_it_may_make_half_as_much_again_more(self, times: float, *, slow: bool) -> None:
        load = Load(ceiling=64)
        load.wave()
        sizes = [load.varied_wave(IDLE * times, 0.1) for _ in range(4)]
        assert (32 in sizes) is slow

    @pytest.mark.parametrize(("times", "slow"), [(1.6, False), (1.7, True)])
    def test_a_normal_latency_is_surely_no_less(self, times: float, *, slow: bool) -> None:
        load = Load(ceiling=64)
        load.varied_wave(IDLE, 0.1)
        assert (32 in load.waves(4, IDLE * times)) is slow

    @pytest.mark.parametrize(("times", "grows"), [(1.5, True), (1.55, False)])
    def test_it_does_not_keep_the_limit_from_growing(self, times: float, *, grows: bool) -> None:
        load = standing(20)
        load.varied_wave(IDLE * times, 0.1)
        size = load.value
        sizes = [load.varied_wave(IDLE * times, 0.1) for _ in range(10)]
        assert (max(sizes) > size) is grows

    @pytest.mark.parametrize(("times", "after"), [(1.68, 32), (1.77, 16)])
    def test_it_does_not_take_a_leap_back(self, times: float, after: int) -> None:
        load = Load(16, ceiling=32)
        load.waves(2)
        assert load.varied_wave(IDLE * times, 0.1) == after

    @pytest.mark.parametrize(("latency", "after"), [(2.4, 64), (2.5, 25)])
    def test_chance_does_not_make_quick_answers_long(self, latency: float, after: int) -> None:
        assert Load(ceiling=64).varied_wave(latency, 0.1) == after


class TestRestart:
    """After an outage."""

    @pytest.mark.parametrize("waves", [0, 3])
    def test_it_begins_with_one_after_any_state(self, waves: int) -> None:
        """Growth by one, or an experiment."""
        load = standing(20, ceiling=25)
        load.waves(waves, IDLE * 2)
        load.limit.restart()
        sizes = [load.value]
        for _ in range(60):
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 20, 25]

    def test_what_came_before_is_no_part_of_the_first_round(self) -> None:
        load = Load(8)
        for _ in range(7):
            load.answer(latency=3.0)
        load.limit.restart()
        load.now += 4
        for _ in range(8):
            load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)

    def test_it_begins_with_one_and_the_old_limit_is_soon_back(self) -> None:
        load = Load(40, ceiling=200)
        load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 200:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        # The last leap ends there.
        assert sizes == [1, 2, 4, 8, 16, 32, 40, 50, 62, 78, 97, 122, 152, 190, 200]

    def test_beyond_it_grows_by_a_quarter_or_one(self) -> None:
        load = Load(2, ceiling=12)
        load.limit.restart()
        sizes = [load.value]
        while load.value < 12:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 3, 4, 5, 6, 7, 9, 12]

    def test_what_it_knew_of_latency_stays(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)

    def test_it_ends_an_experiment(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.waves(2, IDLE * 2) == [64, 32]
        load.limit.restart()
        sizes = [load.value]
        for _ in range(60):
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 32, 64]

    def test_errors_on_the_way_are_forgiven(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 40:
            if load.wave(shed=1 if load.value > 2 else 0) != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 32, 40]

    def test_a_refusal_on_the_way_ends_the_leaps(self) -> None:
        load = Load(40, ceiling=200)
        load.wave()
        load.limit.restart()
        while load.value < 16:
            load.wave()
        assert load.wave(shed=4) == 15
        load.waves_at()
        assert load.value == 16

    def test_a_second_outage_on_the_way_does_not_lower_the_old_limit(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        while load.value < 8:
            load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 40:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 32, 40]


@given(
    st.integers(1, 300),
    st.lists(
        st.tuples(
            st.sampled_from(Signal),
            st.floats(0, 2),
            st.floats(0, 100),
            st.sampled_from(["POST", "GET", ""]),
            st.integers(1, 60),
            st.integers(0, 60),
        ),
        max_size=60,
    ),
)
@quick
def test_it_stays_between_one_and_the_ceiling_after_any_answers(
    ceiling: int, answers: list[tuple[Signal, float, float, str, int, int]]
) -> None:
    limit, now = AdaptiveLimit(ceiling), 0.0
    for signal, wait, latency, kind, times, restart in answers:
        for _ in range(times):
            now += wait / times
            before = limit.value
            changed = limit.record(signal, now, latency, limit.value, kind)
            assert changed or limit.value == before
            assert 1 <= limit.value <= ceiling
        if restart == 0:
            limit.restart()
            assert limit.value == 1


class TestSimulated:
    """Against a service that can do 320 creations a second: 16 at a time, 50 ms each."""

    def test_a_service_that_sheds(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=4)
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.posts < 4000 * 1.02

    def test_a_service_that_sheds_and_has_no_queue(self) -> None:
        """Nothing tells that it is full but the shedding."""
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05))
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.posts < 4000 * 1.02

    @pytest.mark.parametrize("queue", [16, None])
    def test_a_service_that_loses_half_of_its_capacity_and_gets_it_back(
        self, queue: int | None
    ) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=queue)
        world.after(4, lambda: world.get_slots(8))
        world.after(10, lambda: world.get_slots(16))
        world.run(4000)
        assert world.now < 15.5 * 1.05
        assert world.posts < 4000 * 1.02

    def test_a_service_that_queues_is_kept_busy_but_not_drowned(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=None)
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.typical < 2.5 * 0.05
        assert world.posts == 4000
        assert max(world.limits_after(3)) < 64

    def test_a_service_that_queues_and_whose_work_varies(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=about(0.05), queue=None)
        world.run(4000)
        assert world.now < 12.5 * 1.2
        assert world.typical < 2 * 0.05
        assert world.posts == 4000

    @pytest.mark.parametrize("share", [0.02, 0.1])
    def test_an_answer_of_500_is_as_good_as_any(self, share: float) -> None:
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=always(0.05), noise=share)
        world.run(5000)
        assert {limit for _, limit in world.limits} == {64}

    @pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
    @pytest.mark.parametrize("took", [always(0.05), about(0.05)])
    def test_random_503s_do_not_strangle_it(
        self, share: float, took: Callable[[random.Random], float]
    ) -> None:
        """Hardly ever: now and then errors in a row are taken for load."""
        seconds: list[float] = []
        for seed in range(1, 6):
            world = Simulation(
                limit=AdaptiveLimit(64),
                slots=1000,
                took=took,
                noise=share,
                noise_is_shed=True,
                seed=seed,
            )
            world.run(10_000)
            seconds.append(world.now)
        assert median(seconds) < 10_000 / (1 - share) * 0.051 / 64 * 1.15

    @pytest.mark.parametrize("share", [0.01, 0.03])
    def test_random_503s_do_not_hide_that_a_service_is_full(self, share: float) -> None:
        world = Simulation(
            limit=AdaptiveLimit(256),
            slots=16,
            took=always(0.05),
            queue=16,
            noise=share,
            noise_is_shed=True,
        )
        world.run(4000)
        assert world.now < 12.5 * (1 + share) * 1.1
        assert world.posts < 4000 * (1 + share) * 1.02

    def test_a_limit_that_was_found_is_tried_at_most_every_16_rounds(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=64, took=always(0.05))
        world.run(10_000)
        assert world.now < 10_000 * 0.05 / 64 * 1.09
        assert world.posts < 10_000 * 1.02
        assert world.limits_after(world.now)[-1] <= 66

    def test_latencies_that_vary_by_themselves_do_not_strangle_it(self) -> None:
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=about(0.05))
        world.run(5000)
        sizes = world.limits_after(world.now / 2)
        assert sum(sizes) / len(sizes) > 60

    def test_a_service_that_can_do_one_at_a_time(self) -> None:
        """It is pressed once in sixteen times, after the first wave."""
        world = Simulation(limit=AdaptiveLimit(256), slots=1, took=always(0.05))
        world.run(400)
        assert world.now < 20 * 1.05
        assert world.posts < 400 + 63 + 400 / 12
        assert world.limits_after(5)[-1] == 1

    @pytest.mark.parametrize("times", [1.4, 2, 4, 100])
    def test_a_service_that_becomes_slower_for_good(self, times: float) -> None:
        """The least of it is not even noticed; the most of it takes five seconds."""
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=always(0.05), timeout=60)
        world.after(1, lambda: world.take(always(0.05 * times)))
        world.run(5000)
        late = 1 + 15 * 0.05 * times
        assert set(world.limits_after(late)) == {64}

    @pytest.mark.parametrize(("share", "seed"), [(0.01, 0), (0.05, 0), (0.05, 1)])
    def test_random_errors_after_an_outage(self, share: float, seed: int) -> None:
        limit = AdaptiveLimit(64)
        world = Simulation(
            limit=limit, slots=1000, took=always(0.05), noise=share, noise_is_shed=True, seed=seed
        )
        world.after(0.5, limit.restart)
        world.run(5000)
        assert world.now < 5000 * 0.051 / 64 * 1.5

    @pytest.mark.parametrize(("queue", "timeout"), [(8, 60.0), (None, 600.0)])
    def test_an_hour(self, queue: int | None, timeout: float) -> None:
        """16 at a time, 10 s each: 5,760 an hour."""
        world = Simulation(
            limit=AdaptiveLimit(256), slots=16, took=always(10), queue=queue, timeout=timeout
        )
        world.run(5760)
        assert world.now < 3600 * 1.02
        assert world.posts < 5760 * 1.02
