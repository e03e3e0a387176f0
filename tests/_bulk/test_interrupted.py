"""Items that a run does not finish say whether their restream may exist, and what to do."""

from restream_async import NotSentError, OutcomeUnknownError
from restream_async._bulk.interrupted import (
    interrupted_creation,
    interrupted_error,
    unsent_creation,
)
from restream_async.errors import Call

CALL = Call("POST", "/restreams", "v1")


def test_a_call_that_had_no_effect_was_not_sent() -> None:
    error = interrupted_error(CALL, in_doubt=False, note="do this")
    assert isinstance(error, NotSentError)
    assert not error.sent
    assert "its run ended before it was sent" in str(error)
    assert "do this" not in str(error)


def test_a_call_that_may_have_had_an_effect_is_unknown_and_says_what_to_do() -> None:
    error = interrupted_error(CALL, in_doubt=True, note="do this")
    assert isinstance(error, OutcomeUnknownError)
    assert error.attempts == 1
    assert "its run ended before the answer came" in str(error)
    assert str(error).endswith("do this")


def test_an_interrupted_creation_in_doubt_is_reconciled() -> None:
    result = interrupted_creation(CALL, in_doubt=True)
    assert isinstance(result.error, OutcomeUnknownError)
    assert result.attempts == 1
    assert result.doubt is not None
    assert not result.doubt.absent_before


def test_an_interrupted_creation_without_doubt_was_not_sent() -> None:
    result = interrupted_creation(CALL, in_doubt=False)
    assert isinstance(result.error, NotSentError)
    assert (result.attempts, result.doubt) == (0, None)


def test_what_an_earlier_run_left_in_doubt_is_for_the_next_run() -> None:
    result = unsent_creation(CALL, in_doubt=True)
    assert isinstance(result.error, OutcomeUnknownError)
    assert "an earlier run ended before it noted an outcome" in str(result.error)
    assert str(result.error).endswith("run again to find out")
    assert (result.attempts, result.doubt) == (0, None)
