"""A run stops by itself where everything else would fail as well, and not before."""

import pytest

from restream_async._bulk.stop_rule import StopRule
from restream_async.errors import (
    BadRequestError,
    Call,
    CertificateError,
    ForbiddenError,
    OutageError,
    RestreamError,
    UnauthorizedError,
)

CALL = Call("POST", "/x")
UNAUTHORIZED = UnauthorizedError(CALL, status=401)
FORBIDDEN = ForbiddenError(CALL, status=403)
BAD = BadRequestError(CALL, status=400)


def stops(refusals: StopRule, *errors: RestreamError) -> list[bool]:
    return [refusals.stops(error) for error in errors]


@pytest.mark.parametrize("kind", [UnauthorizedError, ForbiddenError])
def test_five_refusals_in_a_row_stop_it_once_and_say_why(
    kind: type[UnauthorizedError | ForbiddenError],
) -> None:
    error = kind(CALL, status=401)
    assert stops(StopRule(), *[error] * 7) == [False] * 4 + [True] + [False] * 2
    [note] = error.__notes__
    assert note == "the run stopped after 5 refusals in a row: correct the API key, and run again"


def test_a_success_in_between_shows_that_the_key_is_right() -> None:
    refusals = StopRule()
    assert not any(stops(refusals, *[UNAUTHORIZED] * 4))
    refusals.succeeded()
    assert stops(refusals, *[UNAUTHORIZED] * 5) == [False] * 4 + [True]


def test_403_after_any_success_is_about_the_item() -> None:
    refusals = StopRule()
    refusals.succeeded()
    assert not any(stops(refusals, *[FORBIDDEN] * 20))


def test_another_failure_in_between_is_no_success() -> None:
    assert stops(StopRule(), *[UNAUTHORIZED, BAD] * 5)[-2:] == [True, False]


@pytest.mark.parametrize(
    ("error", "at_once"),
    [
        (CertificateError(CALL, detail="", sent=False), True),
        (OutageError(CALL, reached=False), True),
        (OutageError(CALL), False),
        (BAD, False),
    ],
    ids=["certificate", "never reached", "outage", "bad request"],
)
def test_what_no_item_can_get_past_stops_it_at_once(error: RestreamError, at_once: bool) -> None:  # noqa: FBT001 - a parameter
    assert StopRule().stops(error) is at_once
