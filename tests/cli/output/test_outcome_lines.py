import json

import attrs
import pytest

from restream_async import (
    BackendFetchFailedError,
    Created,
    Failed,
    JournalError,
    NewRestream,
    Origin,
    OutageError,
    OutcomeUnknownError,
    Restream,
    RestreamError,
    TransportError,
)
from restream_async.cli.output.outcome_lines import outcome_line
from restream_async.errors import Call, NotSentError
from tests.helpers.command_line import STREAM_KEY, STREAM_URL

NEW = NewRestream(
    video_id="v1",
    title="Café ☕",
    stream_url=STREAM_URL,
    stream_key=STREAM_KEY,
    status=True,
)


CALL = Call("POST", "/api/v1/p1/restreams", "v1")


def created(restream_id: int | str = 7) -> Created:
    restream = Restream(
        id=restream_id,
        title="what the service made of it",
        stream_key=STREAM_KEY,
        stream_url=STREAM_URL,
        status=False,
        video_id="v1",
    )
    return Created(
        index=4,
        request=NEW,
        restream=restream,
        attempts=2,
        origin=Origin.CONFIRMED,
        maybe_duplicate=True,
    )


def test_the_line_of_a_created_one_says_what_the_service_has_but_no_secrets() -> None:
    assert json.loads(outcome_line(created(), 6)) == {
        "line": 6,
        "index": 4,
        "outcome": "created",
        "id": 7,
        "videoId": "v1",
        "title": "what the service made of it",
        "status": False,
        "differences": ["title", "status"],
        "origin": "confirmed",
        "attempts": 2,
        "maybeDuplicate": True,
    }


@pytest.mark.parametrize(
    ("origin", "word"),
    [
        (Origin.POSTED, "created"),
        (Origin.CONFIRMED, "created"),
        (Origin.EXISTING, "existing"),
        (Origin.JOURNAL, "existing"),
    ],
)
def test_a_line_says_whether_it_was_created_or_was_there(origin: Origin, word: str) -> None:
    line = outcome_line(attrs.evolve(created(), origin=origin), 6)
    assert json.loads(line)["outcome"] == word


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (NotSentError(CALL, detail="stopped", sent=False), "not_sent"),
        (JournalError("is on a disk that is full"), "not_sent"),
        (OutageError(CALL), "not_sent"),
        (OutcomeUnknownError(CALL, doubt=TransportError(CALL, detail="x", sent=True)), "unknown"),
        (TransportError(CALL, detail="no route", sent=False), "failed"),
    ],
)
def test_a_line_says_whether_it_failed_is_unknown_or_was_not_sent(
    error: RestreamError, word: str
) -> None:
    line = outcome_line(Failed(index=4, request=NEW, error=error, attempts=0), 6)
    assert json.loads(line)["outcome"] == word


def test_the_line_of_a_failed_one_says_why() -> None:
    error = BackendFetchFailedError(CALL, status=503, reason="Backend fetch failed", attempts=5)
    failed = Failed(index=4, request=NEW, error=error, attempts=5)
    assert json.loads(outcome_line(failed, 6)) == {
        "line": 6,
        "index": 4,
        "outcome": "failed",
        "videoId": "v1",
        "title": "Café ☕",
        "errorType": "BackendFetchFailedError",
        "error": str(error),
        "attempts": 5,
        "httpStatus": 503,
    }


def test_an_error_without_a_status_has_no_status_in_its_line() -> None:
    error = TransportError(CALL, detail="no route", sent=False)
    line = outcome_line(Failed(index=0, request=NEW, error=error, attempts=1), 2)
    assert "httpStatus" not in json.loads(line)


def test_a_line_is_one_line_of_plain_ascii() -> None:
    line = outcome_line(created("\x1b[2J\u2028\n"), 1)
    assert line.isascii()
    assert line.isprintable()
