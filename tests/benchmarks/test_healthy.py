"""In simulated time: what the suite `healthy` measures stays near its targets."""

import asyncio
from collections.abc import Sequence
from random import Random
from statistics import mean, median

import attrs
import pytest

from benchmarks import names
from benchmarks.healthy.latencies import LogNormal, Tail, Uniform, drift
from benchmarks.healthy.outcome import FIXED, Outcome
from benchmarks.healthy.results import Result, simulated_text
from benchmarks.healthy.scenes import ALL, RateScene, Scene, scenes_named
from benchmarks.healthy.simulation import simulate

# Looser than the targets, which are of medians: this is to notice that something has gone wrong.
MOST = 1.15
MOST_OF_THE_IDEAL = 1.2
MOST_LATER_POSTS = 1.15
# Shorter than the suite's, where that shows the same.
SHORTER = {"plain-20-4000": 1_000, "plain-100-4000": 2_000, "plain-400-4000": 1_500}

COMPARED = [scene for scene in ALL if not isinstance(scene, RateScene) and scene.busy is None]
RATED = [scene for scene in ALL if isinstance(scene, RateScene)]


@pytest.mark.parametrize("scene", COMPARED, ids=lambda scene: scene.name)
def test_it_is_as_fast_as_a_fixed_64(scene: Scene) -> None:
    scene = attrs.evolve(scene, count=SHORTER.get(scene.name, scene.count))

    ours, fixed = simulate(scene, names.OURS, seed=1), simulate(scene, FIXED, seed=1)

    assert (ours.failed, ours.twice) == (0, 0)
    assert ours.seconds <= MOST * fixed.seconds
    assert ours.posts <= MOST * fixed.posts


@pytest.mark.parametrize("scene", RATED, ids=lambda scene: scene.name)
def test_it_is_as_fast_as_a_rate_limit_allows_and_hardly_above_it(scene: RateScene) -> None:
    outcome = simulate(scene, names.OURS, seed=1)

    assert (outcome.failed, outcome.twice) == (0, 0)
    assert outcome.seconds <= MOST_OF_THE_IDEAL * scene.ideal
    assert scene.later_posts(outcome.posts, scene.count) <= MOST_LATER_POSTS
