from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import ConfigurationError, RetryPolicy
from restream_async._load.rate_limit import RETRY_AFTER_CAP
from tests.helpers.strategies import quick

INFINITE: Final = float("inf")
seconds = st.floats(0.001, 1e6)


def test_a_policy_has_the_documented_defaults() -> None:
    policy = RetryPolicy()
    assert (policy.attempts, policy.base, policy.cap, policy.deadline) == (5, 0.5, 20.0, 120.0)


@pytest.mark.parametrize("name", ["base", "cap", "deadline"])
@pytest.mark.parametrize(
    "value",
    [0, -1, 0.0, -0.5, float("nan"), INFINITE, -INFINITE, 10**400, True, None, "1", [1]],
    ids=repr,
)
def test_a_time_is_a_number_of_seconds_above_0(name: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**{name: value})
    assert str(caught.value) == f"RetryPolicy: {name} must be a number of seconds above 0"


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, float("nan"), True, None, "5"], ids=repr)
def test_attempts_are_a_whole_number_from_1(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(attempts=value)
    assert str(caught.value) == "RetryPolicy: attempts must be a whole number from 1"


def test_the_smallest_policy_is_one() -> None:
    policy = RetryPolicy(attempts=1, base=5e-324, cap=1, deadline=0.001)
    assert policy.wait(1, None, 1.0) == 5e-324


@pytest.mark.parametrize(
    ("failures", "retry_after", "jitter", "wait"),
    [
        # The longest wait doubles, up to the cap.
        (1, None, 1.0, 0.5),
        (2, None, 1.0, 1.0),
        (3, None, 1.0, 2.0),
        (4, None, 1.0, 4.0),
        (6, None, 1.0, 16.0),
        (7, None, 1.0, 20.0),
        (8, None, 1.0, 20.0),
        (5000, None, 1.0, 20.0),
        # Full jitter: anything down to nothing.
        (1, None, 0.0, 0.0),
        (3, None, 0.25, 0.5),
        (7, None, 0.5, 10.0),
        # A floor, to which the jitter is added: all its clients were told the same second.
        (1, 5.0, 0.0, 5.0),
        (1, 5.0, 1.0, 5.5),
        (3, 1.5, 0.5, 2.5),
        (1, 0.0, 1.0, 0.5),
        # And the floor has a cap.
        (1, 60.0, 0.0, 60.0),
        (1, 60.5, 0.0, 60.0),
        (1, 1e12, 1.0, 60.5),
    ],
)
def test_the_wait(failures: int, retry_after: float | None, jitter: float, wait: float) -> None:
    assert RetryPolicy().wait(failures, retry_after, jitter) == wait


def test_the_longest_wait_has_both_caps() -> None:
    policy = RetryPolicy(cap=7.0)
    assert policy.longest_wait == policy.wait(9, 1e12, 1.0) == 67.0


@given(
    failures=st.integers(1, 10**6),
    retry_after=st.none() | st.floats(0, 1e12),
    jitter=st.floats(0, 1, exclude_max=True),
    base=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    cap=seconds,
)
@quick
def test_any_wait_lies_between_the_floor_and_the_floor_and_the_cap(
    failures: int, retry_after: float | None, jitter: float, base: float, cap: float
) -> None:
    wait = RetryPolicy(base=base, cap=cap).wait(failures, retry_after, jitter)
    floor = min(retry_after or 0.0, RETRY_AFTER_CAP)
    assert floor <= wait <= floor + cap
