import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async.adaptive_limit import AdaptiveLimit, Signal
from tests.unit.simulation import Simulation, about, always
from tests.unit.strategies import quick

IDLE = 0.05


def feed(
    limit: AdaptiveLimit,
    *,
    latency: float = IDLE,
    shed: int = 0,
    busy: bool = True,
    kind: str = "POST",
) -> list[int]:
    """Give answers, the first `shed` of them 503, until the limit has changed or a round is over.

    Return the limits before and after. What is in flight is all that may be, or hardly anything.
    """
    before = limit.value
    in_flight = before if busy else 1
    answers = max(8, before)
    for number in range(answers):
        signal = Signal.SHED if number < shed else Signal.GOOD
        if limit.record(signal, latency, in_flight, kind):
            break
    # What was sent before the change.
    for _ in range(in_flight - 1 if limit.value != before else 0):
        assert not limit.record(Signal.GOOD, latency, in_flight, kind)
    return [before, limit.value]


def settled(size: int, *, ceiling: int = 1024) -> AdaptiveLimit:
    """Return a limit of that size that knows what an idle answer takes, and has made no step."""
    limit = AdaptiveLimit(ceiling, start=size)
    third = max(1, size // 3)
    assert feed(limit) == [size, third]
    assert feed(limit) == [third, size]
    return limit


def answers_of_a_round(limit: AdaptiveLimit) -> int:
    """Give good answers until the limit changes; return how many it took."""
    count, in_flight = 1, limit.value
    while not limit.record(Signal.GOOD, IDLE, in_flight, "POST"):
        count += 1
    for _ in range(in_flight - 1):
        limit.record(Signal.GOOD, IDLE, in_flight, "POST")
    return count


def known_to_shed_nothing(size: int) -> AdaptiveLimit:
    """Return a limit of that size at a service that has shed nothing for long."""
    limit = settled(size)
    for _ in range(2000 // size):
        feed(limit, busy=False)
    return limit


def standing(size: int) -> AdaptiveLimit:
    """Return a limit that has stood for a while, and of 64 answers one was shed now and then."""
    limit = settled(size)
    for _ in range(2):
        assert feed(limit, shed=1, busy=False) == [size, size]
    return limit


class TestBeginning:
    """From a small start."""

    @pytest.mark.parametrize(("ceiling", "start"), [(256, 8), (64, 8), (8, 8), (3, 3), (1, 1)])
    def test_it_begins_small(self, ceiling: int, start: int) -> None:
        limit = AdaptiveLimit(ceiling)
        assert (limit.value, limit.ceiling, limit.idle_latency("POST")) == (start, ceiling, None)

    def test_at_first_it_measures_what_an_idle_answer_takes(self) -> None:
        """Eight may be a crowd already: so one round with a third of them, and back."""
        limit = AdaptiveLimit(256)
        assert feed(limit, latency=0.2) == [8, 2]
        assert limit.idle_latency("POST") == 0.2
        assert feed(limit, latency=0.05) == [2, 8]
        assert limit.idle_latency("POST") == pytest.approx(0.05)

    def test_while_answers_come_quickly_it_doubles_once_and_then_adds_a_fifth(self) -> None:
        """Up to the ceiling."""
        limit = settled(8, ceiling=36)
        sizes = [feed(limit)[1] for _ in range(7)]
        assert sizes == [16, 19, 23, 27, 33, 36, 36]

    def test_eight_answers_are_a_round_for_few_and_all_in_flight_for_many(self) -> None:
        assert [answers_of_a_round(settled(size)) for size in (1, 4, 8, 9, 50)] == [8, 8, 8, 9, 50]

    def test_nothing_changes_before_a_round_of_answers(self) -> None:
        limit = settled(16)
        changes = [limit.record(Signal.GOOD, IDLE, 16, "POST") for _ in range(16)]
        assert changes == [False] * 15 + [True]
        assert limit.value == 32

    def test_answers_to_what_was_sent_before_a_change_say_nothing_about_it(self) -> None:
        limit = settled(16)
        feed(limit)
        assert limit.value == 32
        limit.record(Signal.GOOD, IDLE, 32, "POST")
        for _ in range(30):
            limit.record(Signal.GOOD, IDLE, 32, "POST")
        assert limit.value == 32, "31 of a round of 32"

    def test_a_limit_that_is_not_used_does_not_grow(self) -> None:
        """Nobody knows what would happen if it were."""
        limit = settled(16)
        for _ in range(20):
            assert feed(limit, busy=False) == [16, 16]

    def test_answers_that_take_no_time_crowd_nothing(self) -> None:
        limit = AdaptiveLimit(64)
        for _ in range(15):
            feed(limit, latency=0.0)
        assert limit.value == 64


class TestShedding:
    """503, 429 and time-outs make it smaller; each probe above comes more rarely."""

    @pytest.mark.parametrize(("shed", "after"), [(64, 32), (48, 32), (32, 32), (24, 40), (18, 46)])
    def test_a_storm_takes_as_much_as_was_shed_but_half_at_the_most(
        self, shed: int, after: int
    ) -> None:
        assert feed(settled(64), shed=shed) == [64, after]

    def test_it_goes_back_to_where_the_last_step_came_from(self) -> None:
        limit = known_to_shed_nothing(64)
        assert feed(limit) == [64, 128]
        assert feed(limit, shed=1) == [128, 64]

    def test_it_never_falls_below_one(self) -> None:
        limit = settled(8)
        for _ in range(10):
            feed(limit, shed=100)
        assert limit.value == 1

    def test_after_shedding_it_holds_and_then_goes_up_by_one_two_four(self) -> None:
        limit = settled(64)
        feed(limit, shed=64)
        assert limit.value == 32
        sizes = [feed(limit)[1] for _ in range(5)]
        assert sizes == [32, 33, 35, 39, 46]

    def test_a_limit_at_which_it_sheds_is_tried_ever_more_rarely(self) -> None:
        """One round, then four, sixteen, sixty-four; not more, as the service may get larger."""
        limit = known_to_shed_nothing(64)
        feed(limit, shed=64)
        holds: list[int] = []
        for _ in range(5):
            rounds = 0
            while feed(limit)[1] == 32:
                rounds += 1
            holds.append(rounds)
            assert feed(limit, shed=1) == [33, 32]
        assert holds == [1, 4, 16, 64, 64]

    def test_what_it_sheds_at_its_ceiling_takes_something_off(self) -> None:
        limit = settled(16, ceiling=20)
        assert [feed(limit)[1] for _ in range(3)] == [20, 20, 20]
        assert feed(limit, shed=4)[1] == 20
        assert feed(limit, shed=4)[1] < 20

    def test_one_in_a_hundred_is_no_sign_of_load(self) -> None:
        limit = settled(64, ceiling=64)
        for number in range(200):
            feed(limit, shed=number % 2)
        assert limit.value == 64

    def test_in_a_new_service_one_in_fifty_is_nothing_unusual(self) -> None:
        limit = settled(64)
        assert feed(limit, shed=1) == [64, 128]

    def test_more_than_usual_takes_half_as_much_again_off(self) -> None:
        """6 of 64 where one was to be expected: 8 % too many, so 12 % off."""
        limit = standing(64)
        assert feed(limit, shed=6) == [64, 56]

    def test_then_it_waits_to_see_whether_that_helps(self) -> None:
        """Until eight would have been shed, at one in 16."""
        limit = standing(64)
        assert [feed(limit, shed=4)[1] for _ in range(2)] == [64, 59]
        assert [feed(limit)[1] for _ in range(4)] == [59, 59, 60, 62]

    def test_while_more_is_shed_than_usual_it_does_not_grow(self) -> None:
        limit = known_to_shed_nothing(64)
        assert feed(limit, shed=2) == [64, 64]
        assert feed(limit) == [64, 128]

    def test_what_is_shed_at_a_lower_limit_as_well_is_no_reason_to_go_lower(self) -> None:
        limit = standing(64)
        feed(limit, shed=6)
        sizes = [feed(limit, shed=6)[1] for _ in range(6)]
        assert sizes == [56, 57, 59, 63, 71, 85]

    def test_then_it_does_not_wait_to_grow_for_what_was_not_load(self) -> None:
        """However often it has gone down for it."""
        limit = known_to_shed_nothing(64)
        for _ in range(3):
            while feed(limit)[1] <= 64:
                pass
            assert feed(limit, shed=2)[1] == 64
        # So far it would wait for sixty-four rounds.
        while limit.value == 64:
            feed(limit, shed=4)
        assert [feed(limit, shed=4)[1] for _ in range(5)] == [60, 60, 60, 61, 63]

    def test_after_a_storm_it_waits_too(self) -> None:
        limit = settled(8)
        assert [feed(limit, shed=4)[1] for _ in range(3)] == [4, 4, 5]

    def test_a_third_that_is_shed_at_any_limit_does_not_strangle_it(self) -> None:
        limit = settled(64)
        sizes = [feed(limit, shed=round(limit.value * 0.3))[1] for _ in range(20)]
        assert min(sizes) >= 32
        assert sizes[-1] > 64

    def test_where_all_is_shed_it_goes_down_to_one(self) -> None:
        limit = settled(64)
        for _ in range(40):
            feed(limit, shed=100)
        assert limit.value == 1


class TestLatency:
    """A service that queues instead of shedding tells by its latency alone."""

    @pytest.mark.parametrize(
        ("times", "after"), [(1.0, 128), (1.19, 128), (1.21, 72), (1.44, 72), (1.46, 64), (1.9, 64)]
    )
    def test_the_more_it_crowds_the_more_carefully_it_grows(self, times: float, after: int) -> None:
        """By as much again, by the square root, not at all."""
        assert feed(settled(64), latency=IDLE * times) == [64, after]

    @pytest.mark.parametrize(("times", "after"), [(2.0, 44), (2.8, 32), (10.0, 32)])
    def test_far_above_the_idle_one_it_shrinks_to_where_it_should_be(
        self, times: float, after: int
    ) -> None:
        assert feed(settled(64), latency=IDLE * times) == [64, after]

    def test_a_faster_answer_is_believed_by_half(self) -> None:
        limit = settled(16)
        feed(limit, latency=0.03)
        assert limit.idle_latency("POST") == pytest.approx(0.04)

    def test_what_varies_by_itself_is_not_taken_for_a_crowd(self) -> None:
        """The median is twice the idle one, but might as well be less than one and a half."""
        limit = settled(16)
        latencies = [IDLE / 2] * 5 + [IDLE * 2] * 6 + [IDLE * 5] * 5
        for latency in latencies:
            limit.record(Signal.GOOD, latency, 16, "POST")
        assert limit.value == 32

    def test_what_takes_long_for_a_single_request_is_no_crowd(self) -> None:
        """A service may have become slower for good."""
        limit = settled(8)
        sizes = [feed(limit, latency=IDLE * 4)[1] for _ in range(6)]
        assert sizes == [4, 2, 1, 1, 2, 3]
        assert limit.idle_latency("POST") == pytest.approx(IDLE * 4)

    def test_after_a_hundred_busy_rounds_it_measures_anew(self) -> None:
        """A service that has become slower for good is not held down for ever."""
        limit = settled(64)
        sizes = [feed(limit, latency=IDLE * 1.5)[1] for _ in range(102)]
        assert sizes == [64] * 99 + [21, 64, 128]
        assert limit.idle_latency("POST") == pytest.approx(IDLE * 1.5)


class TestKinds:
    """A list may be quicker than a creation at any load."""

    def test_a_kind_that_is_new_is_measured_first(self) -> None:
        limit = settled(64)
        assert feed(limit, latency=0.05, kind="GET") == [64, 21]
        assert feed(limit, latency=0.0125, kind="GET") == [21, 64]
        assert limit.idle_latency("GET") == pytest.approx(0.0125)
        assert limit.idle_latency("POST") == pytest.approx(IDLE)
        assert limit.idle_latency("PUT") is None

    def test_a_few_of_each_of_many_kinds_say_nothing(self) -> None:
        limit = AdaptiveLimit(64)
        for kinds in ("AAABBBCCCD", "AAAAAAA" + "AAABBBCCCD"):
            for kind in kinds:
                limit.record(Signal.GOOD, IDLE, 8, kind)
        assert {limit.idle_latency(kind) for kind in "ABCD"} == {None}

    def test_nor_do_they_while_an_idle_answer_is_measured(self) -> None:
        limit = AdaptiveLimit(64)
        assert feed(limit, kind="A") == [8, 2]
        for kind in "BBBCCCDDDE":
            limit.record(Signal.GOOD, 1.0, 2, kind)
        assert limit.value == 8
        assert [limit.idle_latency(kind) for kind in "ABC"] == [IDLE, None, None]

    def test_latencies_are_compared_within_their_kind(self) -> None:
        """A round of looks does not make creations slow."""
        limit = settled(64)
        assert feed(limit, latency=0.001, kind="GET") == [64, 21]
        assert feed(limit) == [21, 64]
        assert feed(limit) == [64, 128]

    def test_a_quick_kind_counts_for_less(self) -> None:
        """After an outage nearly all are looks; they do not show what creations can be borne."""
        limit = settled(64)
        feed(limit, latency=0.001, kind="GET")
        feed(limit)
        looks = 0
        while not limit.record(Signal.GOOD, 0.001, 64, "GET"):
            looks += 1
        assert looks == pytest.approx(63 * 50, abs=5)

    def test_a_slow_kind_that_is_no_longer_asked_for_is_forgotten(self) -> None:
        limit = settled(8)
        for _ in range(4):
            feed(limit, latency=2.0, kind="PUT")
        answers = 0
        while limit.value < 40:
            answers += 1
            limit.record(Signal.GOOD, IDLE, limit.value, "POST")
        assert answers < 1500

    def test_the_kind_that_keeps_the_service_busiest_says_how_crowded_it_is(self) -> None:
        limit = settled(64)
        feed(limit, latency=0.025, kind="GET")
        feed(limit)
        for number in range(200):
            kind, latency = ("GET", 0.025) if number % 5 < 3 else ("POST", IDLE * 1.5)
            if limit.record(Signal.GOOD, latency, 64, kind):
                break
        assert limit.value == 64


class TestRestart:
    """After an outage."""

    def test_it_begins_with_one(self) -> None:
        limit = settled(64)
        limit.restart()
        assert [feed(limit)[1] for _ in range(8)] == [2, 3, 4, 5, 6, 7, 8, 10]

    def test_up_to_where_it_began_five_answers_are_a_round(self) -> None:
        limit = settled(8)
        limit.restart()
        rounds: list[tuple[int, int]] = []
        while limit.value < 10:
            rounds.append((limit.value, answers_of_a_round(limit)))
        assert rounds == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (6, 6), (7, 7), (8, 8)]

    def test_later_it_takes_eight_again(self) -> None:
        limit = settled(8)
        limit.restart()
        while limit.value < 8:
            feed(limit)
        assert feed(limit, latency=IDLE * 10) == [8, 4]
        assert answers_of_a_round(limit) == 8

    def test_it_forgets_what_it_had_learnt_of_the_capacity_but_not_the_idle_latency(self) -> None:
        limit = settled(64)
        for _ in range(3):
            feed(limit, shed=limit.value // 2)
            feed(limit)
            feed(limit)
        feed(limit, shed=limit.value // 2)
        limit.record(Signal.SHED, IDLE, 8, "POST")
        limit.restart()
        assert (limit.value, limit.idle_latency("POST")) == (1, IDLE)
        sizes: list[int] = []
        for _ in range(3):
            sizes.append(feed(limit)[1])
            feed(limit, busy=False)
        assert sizes == [2, 4, 8]


@given(
    st.integers(1, 300),
    st.lists(
        st.tuples(
            st.sampled_from(Signal),
            st.floats(0, 100),
            st.integers(1, 300),
            st.sampled_from(["POST", "GET"]),
            st.booleans(),
        ),
        max_size=300,
    ),
)
@quick
def test_whatever_comes_it_stays_between_one_and_the_ceiling(
    ceiling: int, answers: list[tuple[Signal, float, int, str, bool]]
) -> None:
    limit = AdaptiveLimit(ceiling)
    for signal, latency, in_flight, kind, restart in answers:
        before = limit.value
        changed = limit.record(signal, latency, in_flight, kind)
        assert changed or limit.value == before
        assert 1 <= limit.value <= ceiling
        if restart and in_flight > 290:
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
        assert world.now < 12.5 * 1.1
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
        assert world.now < 12.5 / 0.95
        assert world.typical < 3 * 0.05
        assert world.most_in_flight < 64
        assert world.posts == 4000

    def test_a_service_that_queues_and_whose_work_varies(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=about(0.05), queue=None)
        world.run(4000)
        assert world.now < 12.5 / 0.85
        assert world.typical < 3 * 0.05
        assert world.posts == 4000

    @pytest.mark.parametrize("shed", [False, True])
    @pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.2])
    def test_random_errors_do_not_strangle_it(self, share: float, *, shed: bool) -> None:
        """So many of all, without any load, be it a 500 or a 503."""
        limit = AdaptiveLimit(64)
        world = Simulation(
            limit=limit, slots=1000, took=always(0.05), noise=share, noise_is_shed=shed
        )
        world.run(8000)
        sizes = world.limits_after(world.now / 2)
        assert sum(sizes) / len(sizes) > 60

    @pytest.mark.parametrize("share", [0.01, 0.03])
    def test_nor_do_they_hide_that_a_service_is_full(self, share: float) -> None:
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

    def test_a_little_more_shedding_each_time_does_not_become_usual(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=64, took=always(0.05))
        world.run(16000)
        assert world.posts < 16000 * 1.02
        assert world.limits_after(world.now)[-1] <= 66

    def test_latencies_that_vary_by_themselves_do_not_strangle_it(self) -> None:
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=about(0.05))
        world.run(8000)
        sizes = world.limits_after(world.now / 2)
        assert sum(sizes) / len(sizes) > 50

    def test_a_service_that_can_do_one_at_a_time(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=1, took=always(0.05))
        world.run(400)
        assert world.now < 20 * 1.1
        assert world.limits_after(5)[-1] == 1

    @pytest.mark.parametrize("times", [1.5, 2, 4])
    def test_a_service_that_becomes_slower_for_good(self, times: float) -> None:
        limit = AdaptiveLimit(64)
        world = Simulation(limit=limit, slots=1000, took=always(0.05))
        world.after(5, lambda: world.take(always(0.05 * times)))
        world.run(30_000)
        slower = [when for when, value in world.limits if value < 32 and when > 5]
        assert max(slower, default=5) < 5 + 30

    @pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
    @pytest.mark.parametrize("seed", range(4))
    def test_random_errors_after_an_outage(self, share: float, seed: int) -> None:
        limit = AdaptiveLimit(64)
        world = Simulation(
            limit=limit, slots=1000, took=always(0.05), noise=share, noise_is_shed=True, seed=seed
        )
        world.after(0.5, limit.restart)
        world.run(8000)
        assert world.now < 8000 * 0.051 / 64 * 8

    def test_an_hour(self) -> None:
        """16 at a time, 10 s each: 5,760 an hour."""
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(10), queue=8, timeout=60)
        world.run(5760)
        assert world.now < 3600 * 1.05
        assert world.posts < 5760 * 1.02
