from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from restream_async.sandbox import Fault, Faults


def with_field(field: str, value: object) -> Faults:
    fields: dict[str, Any] = {field: value}
    return Faults(**fields)


def test_nothing_fails_by_default() -> None:
    faults = Faults()

    assert (faults.before, faults.after, faults.listing, faults.other) == ({}, {}, {}, {})
    assert faults.late == 0
    assert faults.max_faults is None


@pytest.mark.parametrize("field", ["before", "after", "listing", "other"])
@pytest.mark.parametrize("probability", [-0.1, 1.1, math.nan, True, "0.1"])
def test_a_probability_outside_zero_to_one_is_refused_by_name(
    field: str, probability: object
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: RESET must be from 0 to 1"):
        with_field(field, {Fault.RESET: probability})


@pytest.mark.parametrize("field", ["before", "after", "listing", "other"])
def test_probabilities_that_add_up_to_more_than_one_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: the probabilities add up to 1.2"):
        with_field(field, {Fault.RESET: 0.6, Fault.HANG: 0.6})


def test_the_faults_of_a_creation_may_not_add_up_to_more_than_one() -> None:
    with pytest.raises(ValueError, match=r"^before, after and late: .* 1.2, more than 1"):
        Faults(before={Fault.RESET: 0.4}, after={Fault.RESET: 0.4}, late=0.4)


def test_rounding_may_make_a_sum_slightly_more_than_one() -> None:
    sixths = dict.fromkeys(Fault, 1 / 6 + 1e-12)

    assert Faults(listing=sixths).listing == sixths


def test_a_kind_of_fault_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^other: 'reset' is not a Fault"):
        with_field("other", {"reset": 0.1})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("late", -0.1),
        ("late", 2),
        ("late_by", -1),
        ("late_by", math.inf),
        ("hang_seconds", math.nan),
        ("hang_seconds", "60"),
        ("retry_after", "5\r\nX-Injected: 1"),
        ("retry_after", "später"),
        ("max_faults", -1),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        with_field(field, value)


def test_faults_copy_their_arguments() -> None:
    before = {Fault.RESET: 0.5}
    faults = Faults(before=before)
    before[Fault.RESET] = 0.9

    assert faults.before == {Fault.RESET: 0.5}


def test_faults_can_be_pickled() -> None:
    faults = Faults.demo()

    assert pickle.loads(pickle.dumps(faults)) == faults  # noqa: S301 - its own bytes


def test_the_demonstration_fails_five_percent_before_and_eight_after_without_long_waits() -> None:
    demo = Faults.demo()

    assert math.fsum(demo.before.values()) == pytest.approx(0.05)
    assert math.fsum(demo.after.values()) == pytest.approx(0.08)
    assert set(demo.before) == set(demo.after) == set(Fault) - {Fault.HANG}
    assert demo.retry_after is None
    assert demo.max_faults == 3
