from __future__ import annotations

import random
from collections import Counter

import pytest

from restream_async.sandbox import Fault, Faults
from restream_async.sandbox.fault_schedule import FaultSchedule, Phase, ScheduledFault, draw

SOME = Faults(
    before={Fault.INTERNAL_ERROR: 0.1, Fault.RESET: 0.1},
    after={Fault.BACKEND_FETCH_FAILED: 0.2},
    late=0.1,
    listing={Fault.GARBAGE: 0.3},
    other={Fault.TRUNCATED: 0.3},
)


def scheduled_faults(
    schedule: FaultSchedule, videos: list[str], times: int = 3
) -> dict[str, list[ScheduledFault | None]]:
    return {
        video: [schedule.for_create(video, "url", "key") for _ in range(times)] for video in videos
    }


def test_faults_do_not_depend_on_the_order_of_requests() -> None:
    videos = [f"v{number}" for number in range(200)]
    in_order = scheduled_faults(FaultSchedule(SOME, seed=1), videos)

    schedule = FaultSchedule(SOME, seed=1)
    shuffled = videos * 3
    random.Random(0).shuffle(shuffled)  # noqa: S311 - no secret
    in_disorder: dict[str, list[ScheduledFault | None]] = {video: [] for video in videos}
    for video in shuffled:
        schedule.for_list(video)  # other requests in between change nothing
        in_disorder[video].append(schedule.for_create(video, "url", "key"))

    assert in_disorder == in_order


def test_faults_do_not_depend_on_the_order_in_which_they_were_written_down() -> None:
    videos = [f"v{number}" for number in range(200)]
    forwards = Faults(before={Fault.INTERNAL_ERROR: 0.3, Fault.RESET: 0.3})
    backwards = Faults(before={Fault.RESET: 0.3, Fault.INTERNAL_ERROR: 0.3})

    assert scheduled_faults(FaultSchedule(forwards, 1), videos) == scheduled_faults(
        FaultSchedule(backwards, 1), videos
    )


def test_another_seed_makes_other_faults() -> None:
    videos = [f"v{number}" for number in range(200)]

    assert scheduled_faults(FaultSchedule(SOME, seed=1), videos) != scheduled_faults(
        FaultSchedule(SOME, seed=2), videos
    )


@pytest.mark.parametrize("other", [("w", "u", "k"), ("v", "x", "k"), ("v", "u", "y")])
def test_every_part_of_a_creation_counts(other: tuple[str, str, str]) -> None:
    schedule = FaultSchedule(SOME, seed=1)

    assert [schedule.for_create("v", "u", "k") for _ in range(50)] != [
        schedule.for_create(*other) for _ in range(50)
    ]


def test_faults_are_as_frequent_as_they_were_asked_for() -> None:
    schedule = FaultSchedule(SOME, seed=1)
    total = 20_000
    seen = Counter(schedule.for_create(f"v{number}", "u", "k") for number in range(total))

    assert {mishap: round(count / total, 2) for mishap, count in seen.items()} == {
        ScheduledFault(Phase.BEFORE, Fault.INTERNAL_ERROR): 0.1,
        ScheduledFault(Phase.BEFORE, Fault.RESET): 0.1,
        ScheduledFault(Phase.AFTER, Fault.BACKEND_FETCH_FAILED): 0.2,
        ScheduledFault(Phase.LATE, Fault.BACKEND_FETCH_FAILED): 0.1,
        None: 0.5,
    }


def test_lists_toggles_and_deletions_meet_their_own_faults() -> None:
    schedule = FaultSchedule(SOME, seed=1)

    assert {schedule.for_list("v") for _ in range(50)} == {
        None,
        ScheduledFault(Phase.LISTING, Fault.GARBAGE),
    }
    toggles = [schedule.for_other("toggle", "1", "v") for _ in range(50)]
    deletes = [schedule.for_other("delete", "1", "v") for _ in range(50)]
    assert set(toggles) == set(deletes) == {None, ScheduledFault(Phase.OTHER, Fault.TRUNCATED)}


def test_a_toggle_does_not_change_what_a_deletion_meets() -> None:
    alone, mixed = FaultSchedule(SOME, seed=1), FaultSchedule(SOME, seed=1)
    for _ in range(50):
        mixed.for_other("toggle", "1", "v")
        assert mixed.for_other("delete", "1", "v") == alone.for_other("delete", "1", "v")


def test_the_same_creation_meets_no_more_faults_in_a_row_than_allowed() -> None:
    schedule = FaultSchedule(Faults(before={Fault.RESET: 1.0}, max_faults=2), seed=1)

    def struck(video: str) -> bool:
        return schedule.for_create(video, "u", "k") is not None

    assert [struck("v1") for _ in range(7)] == [True, True, False, True, True, False, True]
    assert struck("v2")


def test_a_request_without_a_fault_ends_a_row_of_faults() -> None:
    bounded = FaultSchedule(Faults(before={Fault.RESET: 0.5}, max_faults=3), seed=1)
    unbounded = FaultSchedule(Faults(before={Fault.RESET: 0.5}), seed=1)
    struck = [bounded.for_create("v", "u", "k") is not None for _ in range(1000)]
    would = [unbounded.for_create("v", "u", "k") is not None for _ in range(1000)]

    expected: list[bool] = []
    for one in would:
        expected.append(one and expected[-3:] != [True] * 3)
    assert struck == expected
    assert struck != would


def test_replacing_the_faults_goes_on_counting_requests() -> None:
    schedule, whole = FaultSchedule(Faults(), seed=1), FaultSchedule(SOME, seed=1)
    first = [schedule.for_create("v", "u", "k") for _ in range(20)]
    schedule.faults = SOME
    rest = [schedule.for_create("v", "u", "k") for _ in range(20)]

    assert first == [None] * 20
    assert rest == [whole.for_create("v", "u", "k") for _ in range(40)][20:]


def test_text_that_utf8_cannot_hold_can_be_drawn_for() -> None:
    assert draw(1, ("\ud800",), 1) != draw(1, ("\ud801",), 1)


def test_draws_are_spread_evenly_from_zero_to_one() -> None:
    draws = [draw(1, ("v",), nth) for nth in range(10_000)]

    assert min(draws) >= 0
    assert max(draws) < 1
    tenths = Counter(int(one * 10) for one in draws)
    assert all(900 < tenths[tenth] < 1100 for tenth in range(10))
