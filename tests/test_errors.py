import copy
import inspect
import pickle
from typing import Final

import pytest

import restream_async
from restream_async import (
    ApiError,
    AttemptTimeoutError,
    CertificateError,
    ClientClosedError,
    ConfigurationError,
    InternalServerError,
    InvalidRestreamError,
    JournalError,
    MalformedResponseError,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    ProxyError,
    RestreamError,
    TransportError,
    errors,
)
from restream_async.errors import Call, CallError

ASKED: Final = "POST /api/v1/p1/restreams (video 'v1')"
SAID: Final = "(one; {'two': [2]}; three) [retry after 5 s]"
CALL: Final = Call("POST", "/api/v1/p1/restreams", "v1")
API_ERRORS: Final = [
    "BackendFetchFailedError",
    "BadRequestError",
    "ForbiddenError",
    "InternalServerError",
    "NotFoundError",
    "TooManyRequestsError",
    "UnauthorizedError",
]


def api_error(kind: type[ApiError]) -> ApiError:
    return kind(
        CALL,
        status=503,
        reason="Backend fetch failed",
        errors=["one", {"two": [2]}],
        messages=["three"],
        retry_after=5.0,
        excerpt="",
        attempts=4,
        note="wait a little",
    )


EXAMPLES: Final[list[RestreamError]] = [
    RestreamError("something"),
    ConfigurationError("base_url is missing"),
    JournalError("the journal is damaged"),
    InvalidRestreamError("title", "must not be empty"),
    InvalidRestreamError("title", "must not be empty", ("stream_key", "is missing")),
    api_error(ApiError),
    *(api_error(getattr(errors, name)) for name in API_ERRORS),
    TransportError(CALL, detail="lost", sent=True, attempts=2, note="a note"),
    AttemptTimeoutError(CALL, detail="no answer within 3 s", sent=False, attempts=1),
    ClientClosedError(CALL, detail="the client is closed", sent=False, attempts=1),
    MalformedResponseError(CALL, problem="result.id: is missing", attempts=3),
    OutcomeUnknownError(CALL, doubt=api_error(InternalServerError), attempts=3, note="list them"),
    OutageError(CALL, attempts=7),
    OutageError(CALL, reached=False, last=TransportError(CALL, detail="lost", sent=False)),
    NotSentError(CALL, detail="the run was stopped", sent=False),
    CertificateError(CALL, detail="the certificate could not be verified", sent=False),
    ProxyError(CALL, detail="the proxy wants a login", sent=False),
]


def test_the_tree_is_that_of_the_design() -> None:
    tree = {
        name: [base.__name__ for base in kind.__bases__]
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    }
    assert tree == {
        "RestreamError": ["Exception"],
        "ConfigurationError": ["RestreamError"],
        "JournalError": ["RestreamError"],
        "InvalidRestreamError": ["RestreamError", "ValueError"],
        "CallError": ["RestreamError"],
        "ApiError": ["CallError"],
        **{name: ["ApiError"] for name in API_ERRORS},
        "TransportError": ["CallError"],
        "NotSentError": ["TransportError"],
        "CertificateError": ["TransportError"],
        "ProxyError": ["TransportError"],
        "AttemptTimeoutError": ["TransportError", "TimeoutError"],
        "ClientClosedError": ["TransportError", "RuntimeError"],
        "MalformedResponseError": ["CallError"],
        "OutcomeUnknownError": ["CallError"],
        "OutageError": ["CallError"],
    }


def test_every_error_but_the_base_of_calls_is_public() -> None:
    public = {name for name in restream_async.__all__ if name.endswith("Error")}
    assert public == {type(error).__name__ for error in EXAMPLES}


def test_a_timeout_is_caught_as_the_timeout_that_it_is() -> None:
    with pytest.raises(TimeoutError, match="no answer within 3 s"):
        raise AttemptTimeoutError(CALL, detail="no answer within 3 s", sent=True)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_and_copying(error: RestreamError) -> None:
    error = copy.copy(error)
    error.add_note("item 3 of the input")
    for again in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__notes__ == ["item 3 of the input"]
        for name, value in vars(error).items():
            # Errors are equal to nothing but themselves.
            kept = vars(again)[name]
            assert str(kept) == str(value) if isinstance(value, Exception) else kept == value


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_the_args_of_an_error_tell_it(error: RestreamError) -> None:
    """Celery and others report an error by its `args`."""
    assert error.args
    if isinstance(error, CallError):
        assert error.args == (str(error),)


def test_the_args_of_an_error_tell_how_often_it_was_tried_in_the_end() -> None:
    error = TransportError(CALL, detail="lost", sent=True)
    error.attempts = 5
    assert error.args == (f"lost: {ASKED}, 5 attempts",)


def test_a_copy_does_not_share_the_state_of_the_original() -> None:
    error = TransportError(CALL, detail="lost", sent=True, attempts=1)
    other = copy.copy(error)
    other.attempts = 5
    assert error.attempts == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ApiError(CALL, status=500, attempts=1),
            f"500: {ASKED}, 1 attempt",
        ),
        (
            api_error(ApiError),
            f"503 Backend fetch failed {SAID}: {ASKED}, 4 attempts; wait a little",
        ),
        (
            ApiError(CALL, status=500, reason="No", excerpt="a page", retry_after=0.5),
            f"500 No (a page) [retry after 0.5 s]: {ASKED}, 0 attempts",
        ),
        (
            ApiError(CALL, status=500, retry_after=1, request_id="r-7"),
            f"500 [retry after 1 s] [request id r-7]: {ASKED}, 0 attempts",
        ),
        (
            MalformedResponseError(CALL, problem="it is empty", request_id="r-7"),
            f"the answer cannot be read (it is empty) [request id r-7]: {ASKED}, 0 attempts",
        ),
        (
            ApiError(CALL, status=500, errors=["said"], excerpt="not shown beside it"),
            f"500 (said): {ASKED}, 0 attempts",
        ),
        (
            TransportError(Call("DELETE", "/r/7"), detail="lost", sent=True, attempts=2, note="so"),
            "lost: DELETE /r/7, 2 attempts; so",
        ),
        (
            MalformedResponseError(Call("PUT", "/r/7/toggle"), problem="it is empty", attempts=1),
            "the answer cannot be read (it is empty): PUT /r/7/toggle, 1 attempt",
        ),
        (
            OutcomeUnknownError(
                CALL,
                doubt=TransportError(CALL, detail="lost", sent=True, attempts=9),
                attempts=3,
                note="list them",
            ),
            f"it is unknown whether it took effect, after: lost: {ASKED}, 3 attempts; list them",
        ),
        (
            OutageError(CALL, attempts=1),
            f"the service is out, and did not recover: {ASKED}, 1 attempt",
        ),
        (CallError(CALL, attempts=2), f"CallError: {ASKED}, 2 attempts"),
        (InvalidRestreamError("title", "must not be empty"), "title must not be empty"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_tells_what_happened_what_was_asked_how_often_and_what_to_do(
    error: RestreamError, text: str
) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_tells_itself_in_one_line(error: RestreamError) -> None:
    assert len(str(error).splitlines()) == 1


NASTY: Final = "two\nlines\r\x1b[31m\u2028three" + " and more" * 1000


@pytest.mark.parametrize(
    "error",
    [
        ApiError(CALL, status=500, errors=[NASTY, {NASTY: NASTY}]),
        ApiError(CALL, status=500, messages=[NASTY]),
        ApiError(CALL, status=500, excerpt=NASTY),
        TransportError(CALL, detail=NASTY, sent=True),
        AttemptTimeoutError(CALL, detail=NASTY, sent=True),
        MalformedResponseError(CALL, problem=NASTY),
        OutcomeUnknownError(CALL, doubt=TransportError(CALL, detail=NASTY, sent=True)),
    ],
)
def test_a_foreign_text_is_shown_in_one_short_line(error: RestreamError) -> None:
    assert len(str(error).splitlines()) == 1
    assert str(error).isprintable()
    assert len(str(error)) < 450


def test_lists_of_the_service_cannot_be_changed_under_an_error() -> None:
    said: list[object] = ["one"]
    error = ApiError(CALL, status=400, errors=said, messages=said)
    said.append("two")
    assert (error.errors, error.messages) == (("one",), ("one",))


def test_a_call_is_told_with_its_video_only_where_one_is_named() -> None:
    assert str(CALL) == ASKED
    assert str(Call("PUT", "/r/7/toggle")) == "PUT /r/7/toggle"
