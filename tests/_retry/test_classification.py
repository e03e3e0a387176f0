"""What each answer means: the tables of the design and of the service, a row for each line."""

import json
from typing import Final

import pytest

from restream_async import (
    ApiError,
    AttemptTimeoutError,
    BackendFetchFailedError,
    BadRequestError,
    CertificateError,
    ClientClosedError,
    ForbiddenError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    ProxyError,
    RestreamError,
    TooManyRequestsError,
    TransportError,
    UnauthorizedError,
)
from restream_async._http import list_response, serialization
from restream_async._http.messages import NoResponse, Response
from restream_async._load.load_signal import Signal
from restream_async._retry.classification import Classification, Failure
from restream_async.errors import Call
from restream_async.models import Toggled
from tests.helpers.examples import (
    API,
    API_KEY,
    RESULT,
    classified,
    denial,
    envelope,
    failure,
    new,
    stored,
)
from tests.helpers.recorded_answers import sample

REFUSED: Final = Classification.REFUSED
NOT_DONE: Final = Classification.NOT_DONE
IN_DOUBT: Final = Classification.IN_DOUBT


def without_status_code() -> bytes:
    fields = json.loads(denial())
    del fields["statusCode"]
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("status", "classification", "kind"),
    [
        (300, REFUSED, ApiError),
        (301, REFUSED, ApiError),
        (302, REFUSED, ApiError),
        (304, REFUSED, ApiError),
        (307, REFUSED, ApiError),
        (308, REFUSED, ApiError),
        (400, REFUSED, BadRequestError),
        (401, REFUSED, UnauthorizedError),
        (402, REFUSED, ApiError),
        (403, REFUSED, ForbiddenError),
        (404, REFUSED, NotFoundError),
        (405, REFUSED, ApiError),
        # Nothing has marked these requests as sent; see below.
        (408, NOT_DONE, ApiError),
        (409, REFUSED, ApiError),
        (413, REFUSED, ApiError),
        (415, REFUSED, ApiError),
        (418, REFUSED, ApiError),
        (422, REFUSED, ApiError),
        (425, NOT_DONE, ApiError),
        (428, REFUSED, ApiError),
        (429, NOT_DONE, TooManyRequestsError),
        (430, REFUSED, ApiError),
        (499, REFUSED, ApiError),
        (500, IN_DOUBT, InternalServerError),
        # A service that does not know the method has not done it.
        (501, REFUSED, ApiError),
        (502, IN_DOUBT, ApiError),
        (503, IN_DOUBT, BackendFetchFailedError),
        (504, IN_DOUBT, ApiError),
        (505, IN_DOUBT, ApiError),
        (511, IN_DOUBT, ApiError),
        (520, IN_DOUBT, ApiError),
        (599, IN_DOUBT, ApiError),
        (600, IN_DOUBT, ApiError),
        (999, IN_DOUBT, ApiError),
        (199, IN_DOUBT, ApiError),
        (100, IN_DOUBT, ApiError),
    ],
)
def test_a_status_is_classified_whatever_the_body_is(
    status: int, classification: Classification, kind: type[ApiError]
) -> None:
    for body in (
        b"",
        b"<html><h1>No</h1></html>",
        b'{"detail": "no"}',
        b"[]",
        b"\xff\x00",
        b'"no"',
        b"no",
        # Another thing than HTTP's status says, but no denial either.
        envelope(),
    ):
        failed = failure(Response(status=status, body=body))
        assert failed.classification is classification
        assert failed.final is (classification is REFUSED)
        assert type(failed.error) is kind
        assert isinstance(failed.error, ApiError)
        assert failed.error.status == status


@pytest.mark.parametrize("changes", [{}, {"success": None}])
def test_only_a_denial_may_say_another_status_than_http(changes: dict[str, object]) -> None:
    """A 500 with a 404 inside may have taken effect."""
    body = envelope(statusCode=404, **changes)
    assert failure(Response(status=500, body=body)).classification is IN_DOUBT


@pytest.mark.parametrize(
    "reply", [Response(status=408), Response(status=200, body=denial(statusCode=408))]
)
def test_a_request_time_out_is_in_doubt_where_the_request_was_sent(reply: Response) -> None:
    """RFC 9110, 15.5.9, allows to repeat it; but some say 408 when the work took too long."""
    request = API.create(new())
    request.sent = True
    failed = failure(reply, request=request)
    assert (failed.classification, type(failed.error)) == (IN_DOUBT, ApiError)


def test_what_came_too_early_was_not_processed_though_it_was_sent() -> None:
    """RFC 8470, 5.2."""
    request = API.create(new())
    request.sent = True
    assert failure(Response(status=425), request=request).classification is NOT_DONE


def test_a_login_that_a_proxy_wants_is_told_from_one_of_the_service() -> None:
    failed = failure(Response(status=407))
    assert (failed.classification, type(failed.error), failed.final) == (REFUSED, ProxyError, True)
    assert str(failed.error).startswith(
        "the proxy asks for a user name and password (407 Proxy Authentication Required): POST "
    )


@pytest.mark.parametrize(
    ("inside", "classification", "kind"),
    [
        (400, REFUSED, BadRequestError),
        (401, REFUSED, UnauthorizedError),
        (403, REFUSED, ForbiddenError),
        (404, REFUSED, NotFoundError),
        (409, REFUSED, ApiError),
        (429, NOT_DONE, TooManyRequestsError),
        (500, IN_DOUBT, InternalServerError),
        (501, REFUSED, ApiError),
        (502, IN_DOUBT, ApiError),
        (503, IN_DOUBT, BackendFetchFailedError),
        (599, IN_DOUBT, ApiError),
    ],
)
def test_a_denial_is_classified_by_the_status_code_inside(
    inside: int, classification: Classification, kind: type[ApiError]
) -> None:
    for http in (200, 201, 400, 404, 429, 500, 503):
        failed = failure(Response(status=http, body=denial(statusCode=inside)))
        assert (failed.classification, type(failed.error)) == (classification, kind)
        assert isinstance(failed.error, ApiError)
        assert failed.error.status == inside


@pytest.mark.parametrize(
    "body",
    [
        without_status_code(),
        denial(statusCode=None),
        denial(statusCode="400"),
        denial(statusCode=400.0),
        denial(statusCode=True),
        denial(statusCode=[400]),
        # A code that contradicts the denial.
        denial(statusCode=200),
        denial(statusCode=201),
        denial(statusCode=302),
        denial(statusCode=0),
        denial(statusCode=-400),
        denial(statusCode=399),
        denial(statusCode=600),
        denial(statusCode=10**30),
    ],
)
@pytest.mark.parametrize(
    ("http", "classification", "kind"),
    [
        (200, IN_DOUBT, ApiError),
        (201, IN_DOUBT, ApiError),
        (400, REFUSED, BadRequestError),
        (429, NOT_DONE, TooManyRequestsError),
        (500, IN_DOUBT, InternalServerError),
        (503, IN_DOUBT, BackendFetchFailedError),
    ],
)
def test_a_denial_without_a_usable_status_code_is_classified_by_that_of_http(
    http: int, body: bytes, classification: Classification, kind: type[ApiError]
) -> None:
    failed = failure(Response(status=http, body=body))
    assert (failed.classification, type(failed.error)) == (classification, kind)
    assert isinstance(failed.error, ApiError)
    assert failed.error.status == http


@pytest.mark.parametrize("status", [200, 201])
def test_success_brings_the_result(status: int) -> None:
    answer = Response(status=status, body=envelope(statusCode=status))
    assert classified(answer, serialization.read_restream) == stored()


@pytest.mark.parametrize(
    "body",
    [
        envelope(statusCode=500),
        envelope(statusCode=None),
        envelope(resultInfo="page 1"),
        envelope(errors=["a warning"], messages=[{"text": "created"}]),
        json.dumps({"success": True, "result": dict(RESULT)}).encode(),
    ],
)
def test_success_is_success_whatever_stands_beside_it(body: bytes) -> None:
    assert classified(Response(status=200, body=body), serialization.read_restream) == stored()


def test_every_call_reads_its_own_result() -> None:
    both = Response(status=200, body=envelope([RESULT, RESULT]))
    assert classified(both, list_response.read_restreams, request=API.list("v1")) == [
        stored(),
        stored(),
    ]
    none = Response(status=200, body=envelope(None))
    assert classified(none, list_response.read_restreams, request=API.list("v1")) == []
    off = Response(status=200, body=envelope({"id": "r", "status": False}))
    assert classified(off, serialization.read_toggled, request=API.toggle("r")) == Toggled(
        id="r", status=False
    )
    for done in (True, False):
        answer = Response(status=200, body=envelope(done))
        assert classified(answer, serialization.read_deleted, request=API.delete(7)) is done


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is empty"),
        (b"<html><body>Welcome</body></html>", "it is not JSON at position 0: Welcome"),
        (b"OK", "it is not JSON at position 0: OK"),
        (b"\xff\xfe\xfd", "it is not JSON"),
        # The mark is ignored, as RFC 8259 allows.
        (b"\xef\xbb\xbf" + envelope()[:-1], "it is not JSON at position"),
        (envelope().decode().encode("utf-16"), "it is not JSON: [body withheld"),
        (envelope()[:-1], "it is not JSON at position 2"),
        (b"[" * 100_000, "it is nested too deeply: [[["),
        (b"null", "it is not the documented envelope: null"),
        (b"[]", "it is not the documented envelope: []"),
        (b"{}", "it is not the documented envelope: {}"),
        (b'{"id": 7}', 'it is not the documented envelope: {"id": 7}'),
        (envelope(success=None), "it is not the documented envelope"),
        (envelope(success="true"), "it is not the documented envelope"),
        (envelope(success=1), "it is not the documented envelope"),
        (envelope(success=0), "it is not the documented envelope"),
        (envelope(None), "result: expected an object, got null"),
        (envelope([]), "result: expected an object, got an array"),
        (envelope({**RESULT, "id": None}), "result.id: expected an integer or a string, got null"),
        (envelope({**RESULT, "status": "yes"}), "result.status: expected true or false"),
        (b'{"success": true}', "result: expected an object, got null"),
    ],
    ids=range(21),
)
def test_a_success_that_cannot_be_read_is_in_doubt(body: bytes, problem: str) -> None:
    for status in (200, 201, 202, 204, 206, 299):
        failed = failure(Response(status=status, body=body))
        assert failed.classification is IN_DOUBT
        assert type(failed.error) is MalformedResponseError
        assert failed.error.problem.startswith(problem)
        assert str(failed.error).startswith(f"the answer cannot be read ({problem}")


@pytest.mark.parametrize(
    ("status", "classification", "kind"),
    [
        (200, IN_DOUBT, MalformedResponseError),
        (201, IN_DOUBT, MalformedResponseError),
        (400, REFUSED, BadRequestError),
        (429, NOT_DONE, TooManyRequestsError),
        (503, IN_DOUBT, BackendFetchFailedError),
    ],
)
def test_of_an_answer_that_is_not_whole_only_the_status_counts(
    status: int, classification: Classification, kind: type[RestreamError]
) -> None:
    # What arrived may look complete, and say the opposite.
    for body in (b"", envelope(), denial(statusCode=404)):
        failed = failure(Response(status=status, body=body, defect="it is larger than 9 bytes"))
        assert (failed.classification, type(failed.error)) == (classification, kind)


def test_a_success_that_is_not_whole_says_why() -> None:
    failed = failure(Response(status=200, defect="the connection was lost\nin the middle"))
    assert "(the connection was lost in the middle)" in str(failed.error)


@pytest.mark.parametrize(
    ("answer", "classification", "kind"),
    [
        (NoResponse(detail="refused", sent=False), NOT_DONE, TransportError),
        (NoResponse(detail="reset", sent=True), IN_DOUBT, TransportError),
        (
            NoResponse(detail="no connection", sent=False, timed_out=True),
            NOT_DONE,
            AttemptTimeoutError,
        ),
        (NoResponse(detail="no answer", sent=True, timed_out=True), IN_DOUBT, AttemptTimeoutError),
    ],
)
def test_without_an_answer_it_counts_whether_the_request_was_sent(
    answer: NoResponse, classification: Classification, kind: type[TransportError]
) -> None:
    failed = failure(answer)
    assert (failed.classification, type(failed.error)) == (classification, kind)
    assert isinstance(failed.error, TransportError)
    assert (failed.error.detail, failed.error.sent) == (answer.detail, answer.sent)
    assert failed.retry_after is None
    assert str(failed.error).startswith(f"{answer.detail}: POST ")


@pytest.mark.parametrize(("sent", "classification"), [(True, IN_DOUBT), (False, NOT_DONE)])
def test_something_that_is_no_answer_in_http_is_one_that_cannot_be_read(
    *, sent: bool, classification: Classification
) -> None:
    failed = failure(NoResponse(detail=f"it is no HTTP {API_KEY}", sent=sent, unreadable=True))
    assert (failed.classification, type(failed.error)) == (classification, MalformedResponseError)
    assert str(failed.error).startswith("the answer cannot be read (it is no HTTP ***): POST ")


def test_a_proxy_that_refuses_is_final() -> None:
    failed = failure(NoResponse(detail="refused", sent=False, proxy_status=403))
    assert (failed.classification, type(failed.error)) == (REFUSED, ProxyError)
    assert isinstance(failed.error, ProxyError)
    assert failed.error.sent is False
    assert str(failed.error).startswith("the proxy refuses to connect to the service (403 Forb")


@pytest.mark.parametrize(
    ("encoding", "problem"),
    [
        (" Snappy ", "it is compressed (Content-Encoding: snappy), which was not asked for"),
        # aiohttp has decoded it.
        ("gzip", "it is not JSON at position 0: ?"),
        ("", "it is not JSON at position 0: ?"),
    ],
)
def test_a_compressed_success_says_so_if_nothing_has_decoded_it(
    encoding: str, problem: str
) -> None:
    failed = failure(Response(status=200, headers={"Content-Encoding": encoding}, body=b"?"))
    assert isinstance(failed.error, MalformedResponseError)
    assert failed.error.problem == problem


@pytest.mark.parametrize(("method", "cached"), [("GET", True), ("POST", False)])
def test_only_a_read_may_be_answered_by_a_cache(*, method: str, cached: bool) -> None:
    request = API.list("v1") if method == "GET" else API.create(new())
    answer = Response(status=200, headers={"Age": "1"}, body=envelope([]))
    result = classified(answer, list_response.read_restreams, request=request)
    assert isinstance(result, Failure) is cached
    if isinstance(result, Failure):
        assert (result.classification, result.cached) == (IN_DOUBT, True)


def test_a_certificate_that_is_not_trusted_is_final() -> None:
    failed = failure(
        NoResponse(detail=f"expired {API_KEY}", sent=False, untrusted=True, remedy="renew it")
    )
    assert (failed.classification, failed.final, type(failed.error)) == (
        REFUSED,
        True,
        CertificateError,
    )
    assert isinstance(failed.error, CertificateError)
    assert failed.error.sent is False
    assert str(failed.error).startswith("expired ***: POST ")
    assert str(failed.error).endswith("; renew it")
    assert failed.signal is None


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (400, Signal.GOOD),
        (429, Signal.LIMITED),
        (500, Signal.GOOD),
        (502, Signal.GOOD),
        (503, Signal.SHED),
        (504, Signal.SHED),
    ],
)
def test_an_overloaded_service_answers_503_or_504(status: int, signal: Signal) -> None:
    assert failure(Response(status=status)).signal is signal


@pytest.mark.parametrize(
    ("answer", "signal"),
    [
        (Response(status=200), Signal.GOOD),
        (NoResponse(detail="no HTTP", sent=True, unreadable=True), Signal.GOOD),
        (NoResponse(detail="no answer", sent=True, timed_out=True), Signal.SHED),
        (NoResponse(detail="reset", sent=True), None),
    ],
    ids=["no envelope", "no HTTP", "timeout", "lost"],
)
def test_without_a_readable_answer_only_a_timeout_shows_overload(
    answer: Response | NoResponse, signal: Signal | None
) -> None:
    assert failure(answer).signal is signal


@pytest.mark.parametrize(
    ("name", "classification", "kind", "retry_after", "told"),
    [
        ("varnish-503", IN_DOUBT, BackendFetchFailedError, 5.0, "503 Backend fetch failed"),
        ("nginx-502", IN_DOUBT, ApiError, None, "502 Bad Gateway"),
        ("nginx-504", IN_DOUBT, ApiError, None, "504 Gateway Time-out"),
        ("nginx-429", NOT_DONE, TooManyRequestsError, None, "429 Too Many Requests"),
        ("nginx-301", REFUSED, ApiError, None, "301 Moved Permanently"),
    ],
)
def test_the_pages_of_real_servers(
    name: str,
    classification: Classification,
    kind: type[ApiError],
    retry_after: float | None,
    told: str,
) -> None:
    failed = failure(sample(name))
    assert (failed.classification, type(failed.error)) == (classification, kind)
    assert failed.retry_after == retry_after
    assert str(failed.error).startswith(told)
    assert "<" not in str(failed.error)


def test_a_retry_after_is_read_from_any_refusal_or_doubt() -> None:
    for status in (301, 429, 500, 503):
        failed = failure(Response(status=status, headers={"Retry-After": "7"}))
        assert failed.retry_after == 7
    denied = failure(
        Response(status=200, headers={"Retry-After": "7"}, body=denial(statusCode=429))
    )
    assert denied.retry_after == 7
    assert failure(Response(status=200, headers={"Retry-After": "7"})).retry_after is None


def test_a_failure_shows_its_classification() -> None:
    failed = failure(Response(status=429))
    assert failed == Failure(NOT_DONE, failed.error, cached=False, overtaken=False)
    assert "NOT_DONE" in repr(failed)


@pytest.mark.parametrize("kind", [CertificateError, ClientClosedError, NotSentError, ProxyError])
def test_a_failure_that_waiting_does_not_help_is_final(kind: type[TransportError]) -> None:
    error = kind(Call("POST", "/restreams"), detail="no", sent=False)
    assert Failure(NOT_DONE, error).final
