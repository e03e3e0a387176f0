"""The suite `healthy` in simulated time: its figures stay near the targets."""

from collections.abc import Callable
from random import Random
from statistics import mean, median

import attrs
import pytest

from benchmarks import names
from benchmarks.healthy import outcome, results
from benchmarks.healthy.latencies import LogNormal, Tail, Uniform, drift
from benchmarks.healthy.outcome import FIXED, Outcome
from benchmarks.healthy.scenes import ALL, RateScene, Scene, scenes_named
from benchmarks.healthy.simulation import simulate
from restream_async import RetryPolicy
from restream_async.sandbox import Fault, Faults, Sandbox

# Looser than the targets, which are of medians: this is to notice that something has gone wrong.
MOST = 1.15
MOST_OF_THE_IDEAL = 1.2
MOST_LATER_POSTS = 1.15
# Shorter than the suite's, where that shows the same.
SHORTER = {"plain-20-4000": 1_000, "plain-100-4000": 2_000, "plain-400-4000": 1_500}

COMPARED = [scene for scene in ALL if not isinstance(scene, RateScene) and scene.is_simulated]
RATED = [scene for scene in ALL if isinstance(scene, RateScene)]


@pytest.mark.parametrize("scene", COMPARED, ids=lambda scene: scene.name)
def test_it_is_as_fast_as_a_fixed_64(scene: Scene) -> None:
    scene = attrs.evolve(scene, count=SHORTER.get(scene.name, scene.count))

    ours, fixed = simulate(scene, names.OURS, seed=1), simulate(scene, FIXED, seed=1)

    assert (ours.failed, ours.twice) == (0, 0)
    assert ours.seconds <= MOST * fixed.seconds
    assert ours.posts <= MOST * fixed.posts


@pytest.mark.parametrize(("share", "most"), [(0.2, 1.5), (0.3, 2.0)])
def test_one_broken_instance_of_some_does_not_stop_the_others(share: float, most: float) -> None:
    errors = scene("errors-10")
    faults = Faults(before={Fault.BACKEND_FETCH_FAILED: share}, retry_after=None)
    broken = attrs.evolve(errors, settings={**errors.settings, "faults": faults})

    ours, fixed = simulate(broken, names.OURS, seed=1), simulate(broken, FIXED, seed=1)

    assert ours.seconds <= most * fixed.seconds
    assert ours.twice == 0


@pytest.mark.parametrize("scene", RATED, ids=lambda scene: scene.name)
def test_it_is_as_fast_as_a_rate_limit_allows_and_hardly_above_it(scene: RateScene) -> None:
    ours = simulate(scene, names.OURS, seed=1)

    assert (ours.failed, ours.twice) == (0, 0)
    assert ours.seconds <= MOST_OF_THE_IDEAL * scene.ideal
    assert scene.later_posts(ours.posts) <= MOST_LATER_POSTS


def scene(name: str) -> Scene:
    (found,) = [scene for scene in ALL if scene.name == name]
    return found


def test_every_scene_has_a_name_of_its_own_and_is_run() -> None:
    assert len({scene.name for scene in ALL}) == len(ALL)
    assert all(scene.is_real or scene.is_simulated for scene in ALL)
    for one in ALL:
        # What the sandbox does not know would be found out after an hour.
        sandbox = Sandbox(**one.settings)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        for _, attribute, value in one.changes:
            assert hasattr(sandbox, attribute)
            setattr(sandbox, attribute, value)


def test_scenes_are_named_by_how_their_names_begin() -> None:
    assert [one.name for one in scenes_named(["errors", "aw"])] == [
        "awaited", "errors-1", "errors-5", "errors-10",
    ]  # fmt: skip
    assert scenes_named([]) == list(ALL)


@pytest.mark.parametrize(
    ("draw", "typical", "expected"),
    [
        (Uniform(0.1), mean, 0.1),
        (Uniform(0.1), max, 0.15),
        (Uniform(0.1), min, 0.05),
        (LogNormal(0.08, 1.0), median, 0.08),
        # exp(sigma² / 2) times the median.
        (LogNormal(0.08, 1.0), mean, 0.132),
        (Tail(Uniform(0.1), 0.1, 15.0), mean, 0.24),
        (Tail(Uniform(0.1), 0.1, 15.0), max, 2.25),
    ],
)
def test_latencies_are_drawn_as_described(
    draw: Callable[[Random], float], typical: Callable[[list[float]], float], expected: float
) -> None:
    random = Random(1)  # noqa: S311 - no secret
    drawn = [draw(random) for _ in range(20_000)]
    assert typical(drawn) == pytest.approx(expected, rel=0.04)


def test_a_drift_ends_where_it_should_and_never_leaps() -> None:
    changes = [*drift(0.1, times=4.0, seconds=2.0, step=0.5)]

    assert [seconds for seconds, _, _ in changes] == [0.5, 1.0, 1.5, 2.0]
    means = [value.mean for _, _, value in changes if isinstance(value, Uniform)]
    assert means == pytest.approx([0.1 * 2**0.5, 0.2, 0.2 * 2**0.5, 0.4])


def test_a_fixed_limit_keeps_64_in_flight_whatever_happens() -> None:
    """All others are compared with it."""
    plain, errors = scene("plain-100-1000"), scene("errors-10")

    # Within half a latency for the beginning and one and a half for the end.
    assert 1000 / 640 < simulate(plain, FIXED, seed=1).seconds < 1000 / 640 + 0.2
    with_errors = simulate(errors, FIXED, seed=1)
    assert with_errors.posts == pytest.approx(1 / 0.9, rel=0.02)
    # The posts, the checks between them, and at the end a few that wait to be sent again.
    work = errors.count * (with_errors.posts * 0.1 + (with_errors.posts - 1) * 0.02) / 64
    assert work < with_errors.seconds < work + RetryPolicy().base * 4


def test_the_same_seed_gives_the_same_run() -> None:
    short = attrs.evolve(scene("errors-5"), count=300)
    assert simulate(short, names.OURS, seed=7) == simulate(short, names.OURS, seed=7)
    assert simulate(short, FIXED, seed=7) != simulate(short, FIXED, seed=8)


def test_a_change_happens_at_its_moment() -> None:
    slower = scene("slower-5")
    usual = attrs.evolve(slower, changes=())
    # 1,280 are done until then; the others take five times as long.
    assert simulate(usual, FIXED, seed=1).seconds == pytest.approx(3000 / 640, rel=0.06)
    expected = 2 + (3000 - 1280) / 128
    assert simulate(slower, FIXED, seed=1).seconds == pytest.approx(expected, rel=0.06)


def run(seconds: float, posts: float = 1.0, failed: int = 0) -> Outcome:
    return Outcome(seconds=seconds, ended=seconds + 1, posts=posts, limited=3, failed=failed)


def cells(table: str) -> list[list[str]]:
    """Return the cells of all rows that stand under a head."""
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line]
    return [
        [cell.strip() for cell in row] for row in rows if row[0].strip() and "-" * 5 not in row[0]
    ]


def test_a_scene_is_shown_in_real_time_where_it_has_one_beside_its_target() -> None:
    usual, errors = "plain-100-200", "errors-5"
    ours, fixed = [run(0.4), run(0.44), run(0.5)], [run(0.4), run(0.3), run(0.8)]
    simulated = {
        usual: {names.OURS: [run(0.41)], FIXED: [run(0.4)]},
        errors: {names.OURS: [run(5.5, failed=2)], FIXED: [run(5.0)]},
    }
    figures = {
        "real": outcome.plain({usual: {names.OURS: ours, FIXED: fixed}}),
        "simulated": outcome.plain(simulated),
    }

    assert cells(results.summary(figures)) == [
        ["100 ms, 200", "0.40", "0.44", "**1.100** (missed)", "1.025", "1.05", "0"],
        ["5 % random 500s and 503s", "5.00", "5.50", "", "1.100", "1.10", "**2** (missed)"],
    ]


def test_a_rate_limit_is_compared_with_what_it_allows() -> None:
    simulated, real = run(103.95, posts=264 / 200), run(198.1, posts=2.0)
    figures = {
        "real": outcome.plain({"rate-2-none": {names.OURS: [real]}}),
        "simulated": outcome.plain({"rate-2-none": {names.OURS: [simulated]}}),
    }

    assert cells(results.summary(figures)) == [
        ["2 a second, no Retry-After", "200", "99.0", "198.1", "**2.000** (missed)", "1.049",
         "1.15", "2.00", "**1.697** (missed)", "1.010", "1.30", "0"],
    ]  # fmt: skip


def test_failures_are_not_counted_as_done() -> None:
    (one,) = results.read(
        {
            "real": {},
            "simulated": outcome.plain({"rate-8-60": {names.OURS: [run(31.05, failed=244)]}}),
        }
    )
    assert one.shown.base == pytest.approx((500 - 244 - 8) / 8 + 0.05)
    assert one.shown.times == pytest.approx(1.0)


def test_figures_survive_a_round_trip() -> None:
    found = {"awaited": {names.OURS: [run(1.0), run(2.0)]}}
    assert outcome.read(outcome.plain(found)) == found


def test_the_typical_outcome_hides_no_failure() -> None:
    typical = Outcome.typical([run(1.0), run(3.0, failed=4), run(2.0)])
    assert (typical.seconds, typical.ended, typical.failed) == (2.0, 3.0, 4)
