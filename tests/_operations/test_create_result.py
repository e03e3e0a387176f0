"""The result of a creation, as a restream, an error, or a public outcome."""

import pytest

from restream_async import Created, Failed, NotSentError, Origin
from restream_async._operations.create_result import (
    CreateFailed,
    CreateSucceeded,
    outcome_of,
    restream_or_raise,
)
from restream_async.errors import Call
from tests.helpers.examples import new, stored

ERROR = NotSentError(Call("POST", "/restreams"), detail="stopped", sent=False)


def test_a_success_is_its_restream_and_a_created_outcome() -> None:
    result = CreateSucceeded(stored(), 3, Origin.CONFIRMED, maybe_duplicate=True)
    assert restream_or_raise(result) == stored()
    assert outcome_of(result, 5, new()) == Created(
        index=5,
        request=new(),
        restream=stored(),
        attempts=3,
        origin=Origin.CONFIRMED,
        maybe_duplicate=True,
    )


def test_a_failure_raises_its_error_and_is_a_failed_outcome() -> None:
    result = CreateFailed(error=ERROR, attempts=2)
    with pytest.raises(NotSentError) as caught:
        restream_or_raise(result)
    assert caught.value is ERROR
    assert outcome_of(result, 5, new()) == Failed(index=5, request=new(), error=ERROR, attempts=2)
