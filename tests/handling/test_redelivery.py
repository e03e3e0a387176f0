"""When a failing message is delivered again."""

import pytest

from restream_async.errors import (
    ApiError,
    Call,
    ForbiddenError,
    InvalidRestreamError,
    OutageError,
    RestreamError,
    UnauthorizedError,
)
from restream_async.handling.redelivery import REDELIVERY, is_permanent, refuses_key

LIST = Call("GET", "/api/v1/p/restreams", "v1")
CREATE = Call("POST", "/api/v1/p/restreams", "v1")


def test_the_delays_of_a_failing_message_add_up_to_less_than_a_minute() -> None:
    rests = [REDELIVERY.wait(failures, None, 1.0) for failures in range(1, REDELIVERY.attempts)]

    assert sum(rests) == 45.0


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (ApiError(CREATE, status=400), True),
        (ForbiddenError(CREATE, status=403), True),
        (InvalidRestreamError("title", "is empty"), True),
        (ApiError(CREATE, status=429), False),
        (ApiError(CREATE, status=503), False),
        (OutageError(CREATE), False),
    ],
)
def test_only_what_fails_in_the_same_way_again_is_permanent(
    error: RestreamError,
    permanent: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert is_permanent(error) is permanent


@pytest.mark.parametrize(
    "error", [UnauthorizedError(CREATE, status=401), ForbiddenError(LIST, status=403)]
)
def test_a_refused_key_says_nothing_about_the_restream(error: RestreamError) -> None:
    assert refuses_key(error)
    assert not is_permanent(error)
