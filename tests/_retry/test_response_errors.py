"""The text of a failure: what was asked, what came back, how often, what to do."""

import json

import pytest

from restream_async import ApiError, MalformedResponseError
from restream_async._http.messages import NoResponse, Request, Response
from tests.helpers.examples import API, API_KEY, STREAM_KEY, denial, envelope, failure, new
from tests.helpers.recorded_answers import sample

WITHHELD = "[body withheld: it may hold stream keys]"
ASKED = "POST /api/v1/p1/restreams (video 'v1'), 0 attempts"


def told(answer: Response | NoResponse, request: Request | None = None) -> str:
    return str(failure(answer, request=request).error)


def test_a_varnish_page_is_told_in_a_line() -> None:
    error = failure(sample("varnish-503")).error
    error.attempts = 5
    assert str(error) == (
        "503 Backend fetch failed (Guru Meditation: XID: 3 Varnish cache server) "
        "[retry after 5 s] [request id 2]: POST /api/v1/p1/restreams (video 'v1'), 5 attempts"
    )


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (API.create(new(video_id="v 1")), "POST /api/v1/p1/restreams (video 'v 1')"),
        (API.list("v/1"), "GET /api/v1/p1/live-video/v%2F1/restreams (video 'v/1')"),
        (API.toggle("r-7"), "PUT /api/v1/p1/restreams/r-7/toggle"),
        (API.delete(7), "DELETE /api/v1/p1/restreams/7"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [Response(status=500), Response(status=200), NoResponse(detail="reset", sent=True)],
)
def test_every_failure_says_what_was_asked(
    answer: Response | NoResponse, request_: Request, asked: str
) -> None:
    assert f": {asked}, 0 attempts" in told(answer, request_)


@pytest.mark.parametrize(
    ("attempts", "times"), [(1, "1 attempt"), (2, "2 attempts"), (5, "5 attempts")]
)
def test_every_failure_says_how_often_it_was_tried(attempts: int, times: str) -> None:
    for answer in (
        Response(status=500),
        Response(status=200),
        NoResponse(detail="reset", sent=True),
    ):
        error = failure(answer).error
        error.attempts = attempts
        assert str(error).endswith(f", {times}")


@pytest.mark.parametrize(
    ("errors", "messages", "said"),
    [
        (["title is too long"], [], "(title is too long)"),
        ([], ["try later"], "(try later)"),
        (["one", "two"], ["three"], "(one; two; three)"),
        ([{"code": 17, "text": "no"}], [], "({'code': 17, 'text': 'no'})"),
        ([17], [None], "(17; None)"),
        ("not even a list", None, "(not even a list)"),
        ({"title": ["too long"]}, None, "({'title': ['too long']})"),
        (["two\nlines\x1b[31m and \u202e more"], [], "(two lines [31m and more)"),
    ],
)
def test_the_service_is_quoted(errors: object, messages: object, said: str) -> None:
    answer = Response(status=400, body=denial(errors=errors, messages=messages))
    assert told(answer) == f"400 Bad Request {said}: {ASKED}"
    error = failure(answer).error
    assert isinstance(error, ApiError)
    assert error.excerpt == "", "the rest of the body is not shown too"


@pytest.mark.parametrize("said", ["Unauthorized", "unauthorized."])
def test_a_message_that_only_repeats_the_status_is_not_quoted(said: str) -> None:
    error = failure(Response(status=401, body=denial(statusCode=401, messages=[said]))).error
    assert str(error).startswith("401 Unauthorized: POST ")
    assert isinstance(error, ApiError)
    assert error.messages == (said,)


def test_what_the_service_said_is_kept_as_it_was_said() -> None:
    error = failure(
        Response(status=400, body=denial(errors=["a", {"b": [1, None]}], messages=["c", 2.5]))
    ).error
    assert isinstance(error, ApiError)
    assert error.errors == ("a", {"b": [1, None]})
    assert error.messages == ("c", 2.5)
    assert error.excerpt == ""


def test_the_service_is_quoted_without_the_secrets_that_it_repeats() -> None:
    error = failure(
        Response(
            status=400,
            body=denial(
                errors=[f"key {STREAM_KEY} is taken", {"streamKey": "of-another", "n": 1}],
                messages=[f"you are {API_KEY}", STREAM_KEY[:9]],
            ),
        )
    ).error
    assert isinstance(error, ApiError)
    assert error.errors == ("key *** is taken", {"streamKey": "***", "n": 1})
    assert error.messages == ("you are ***", "***")


def test_a_very_long_quotation_is_cut() -> None:
    text = told(Response(status=400, body=denial(errors=["so long " * 1000])))
    assert " so…): POST" in text
    assert len(text) < 400


def test_an_error_of_excessive_size_is_quoted_from_its_beginning_only() -> None:
    body = json.dumps({"success": False, "statusCode": 400, "errors": ["x" * 10] * 10_000}).encode()
    error = failure(Response(status=200, body=body)).error
    assert isinstance(error, ApiError)
    assert (error.status, error.errors, error.messages) == (400, (), ())
    assert error.excerpt.startswith('{"success": false, "statusCode": 400, "errors": ["xxxxxxxxxx"')


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        (b"", ""),
        (b"upstream connect error", "upstream connect error"),
        (b'{"detail": "no such project"}', '{"detail": "no such project"}'),
        (b"<html><h1>Gone</h1><p>for good</p></html>", "Gone for good"),
        (b"\n  <!DOCTYPE html><title>a &amp; b &lt;c&gt;</title>", "a & b <c>"),
        (b"\xef\xbb\xbf<html>with a mark</html>", "with a mark"),
        (b"<html><script>var a = '<b>';</script>shown</html>", "shown"),
        (b"<html><STYLE type='x'>p { color: red }</STYLE >shown</html>", "shown"),
        (b"<html>shown<!-- not <b>this</b> -->too</html>", "shown too"),
        (b"<html>shown<script>never closed", "shown"),
        (b"<html>shown<!-- never closed", "shown"),
        (b"<html>shown<a href='never closed", "shown"),
        (b"1 < 2 and <b>no HTML</b>", "1 < 2 and <b>no HTML</b>"),
        (b"not \xff UTF-8", "not UTF-8"),
        ("as UTF-16".encode("utf-16-le"), "as UTF-16"),
        (b"two\r\nlines\x1b[2J \xe2\x80\xae", "two lines [2J"),
        (b"x" * 5000, "x" * 159 + "…"),
        (b"<p>" * 1360 + b"far", "far"),
        (b"<p>" * 1365 + b"too far", "t"),
        (b"<title>500 Internal Server Error</title><h1>ERROR: Internal server error.</h1>", ""),
        (
            b"<h1>500 - Internal Server Error</h1><p>An Internal Server Error!",
            "An Internal Server Error!",
        ),
        (b'{"streamKey": "of-another"}', WITHHELD),
        (b"<html>rtmp://live.example.com/app/of-another</html>", WITHHELD),
        ('{"streamKey": "of-another"}'.encode("utf-16"), WITHHELD),
    ],
    ids=range(24),
)
def test_of_a_body_that_is_no_envelope_the_beginning_is_shown(body: bytes, excerpt: str) -> None:
    error = failure(Response(status=500, body=body)).error
    assert isinstance(error, ApiError)
    assert error.excerpt == excerpt
    shown = f" ({excerpt})" if excerpt else ""
    assert str(error) == f"500 Internal Server Error{shown}: {ASKED}"


def test_an_envelope_that_says_nothing_is_shown_as_it_is() -> None:
    text = told(Response(status=500, body=denial(statusCode=500)))
    assert '({"success": false, "errors": []' in text


def test_of_an_unreadable_success_the_beginning_is_shown_too() -> None:
    assert "at position 0: Welcome)" in told(Response(status=200, body=b"<html>Welcome</html>"))
    assert WITHHELD in told(Response(status=200, body=b'{"streamKey": "of-another"'))


def test_of_a_result_of_the_wrong_type_only_the_path_is_told() -> None:
    # The rest of it is a restream, keys and all.
    answer = Response(status=200, body=envelope({"id": None, "title": "of-another"}))
    error = failure(answer).error
    assert isinstance(error, MalformedResponseError)
    assert error.problem.startswith("result.id: expected an integer or a string, got null; ")
    assert "of-another" not in str(error)
    assert WITHHELD not in str(error)


@pytest.mark.parametrize(
    ("status", "reason", "told_as"),
    [
        (503, "Backend fetch failed", "503 Backend fetch failed"),
        # HTTP/2 has no reason phrases.
        (503, "", "503 Service Unavailable"),
        (404, "", "404 Not Found"),
        (520, "", "520"),
        (520, "Web Server Returned an Unknown Error", "520 Web Server Returned an Unknown Error"),
        (500, f"no {API_KEY}\x1b[0m", "500 no *** [0m"),
        (500, "x" * 1000, f"500 {'x' * 159}…"),
    ],
)
def test_a_reason_phrase_is_told(status: int, reason: str, told_as: str) -> None:
    assert told(Response(status=status, reason=reason)) == f"{told_as}: {ASKED}" + (
        "; check base_url, project_id and the ids in the route" if status == 404 else ""
    )


def test_the_reason_of_http_is_not_told_of_the_status_inside() -> None:
    text = told(Response(status=200, reason="OK", body=denial(errors=["no"])))
    assert text == f"400 Bad Request (no): {ASKED}"
    assert told(Response(status=200, reason="OK", body=denial(statusCode=599))).startswith("599 (")


@pytest.mark.parametrize(
    ("status", "note"),
    [
        (401, "check api_key and auth_scheme"),
        (403, "check that the API key is allowed to do this in the project"),
        (404, "check base_url, project_id and the ids in the route"),
        (300, "redirects are not followed: check base_url"),
        (301, "redirects are not followed: check base_url"),
        (308, "redirects are not followed: check base_url"),
        (399, "redirects are not followed: check base_url"),
    ],
)
def test_a_failure_that_the_caller_can_mend_says_how(status: int, note: str) -> None:
    error = failure(Response(status=status)).error
    assert error.note == note
    assert str(error).endswith(f", 0 attempts; {note}")


@pytest.mark.parametrize("request_", [API.delete(7), API.toggle("7")], ids=["delete", "toggle"])
def test_a_restream_that_is_not_found_is_named_with_the_way_to_its_id(request_: Request) -> None:
    error = failure(Response(status=404), request=request_).error
    assert error.call.restream_id == "7"
    assert str(error).endswith(
        ", 0 attempts; no restream '7' was found: list the restreams of its video to see their "
        "ids, and check base_url and project_id"
    )


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_other_failures_give_no_advice(status: int) -> None:
    assert failure(Response(status=status)).error.note == ""


@pytest.mark.parametrize(
    ("value", "told_as"),
    [
        ("5", "[retry after 5 s]"),
        ("0", "[retry after 0 s]"),
        ("1.5", "[retry after 1.5 s]"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "[retry after 7 s]"),
    ],
)
def test_a_retry_after_is_told(value: str, told_as: str) -> None:
    answer = Response(status=503, headers={"Retry-After": value})
    assert told(answer) == f"503 Service Unavailable {told_as}: {ASKED}"


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"X-Request-Id": "0HMVD-1"}, "0HMVD-1"),
        ({"X-Varnish": "32770"}, "32770"),
        # That of a request that was answered from what the second one had stored.
        ({"X-Varnish": "32773 32771"}, "32773"),
        ({"X-Request-Id": " 0HMVD-1 ", "X-Varnish": "32770"}, "0HMVD-1"),
        ({"X-Request-Id": "", "X-Varnish": "32770"}, "32770"),
        ({"X-Request-Id": "a\x1b[0m b"}, "a [0m b"),
        ({"X-Request-Id": "x" * 1000}, "x" * 159 + "…"),
    ],
    ids=range(7),
)
def test_the_id_of_a_request_is_told(headers: dict[str, str], request_id: str) -> None:
    for status in (400, 401, 429, 500, 503, 200):
        error = failure(Response(status=status, headers=headers)).error
        assert isinstance(error, ApiError | MalformedResponseError)
        assert error.request_id == request_id
        assert f" [request id {request_id}]: {ASKED}" in str(error)


def test_the_id_of_a_request_that_a_cache_answered_is_told() -> None:
    reply = Response(status=200, headers={"X-Varnish": "5 3"}, body=envelope([]))
    error = failure(reply, request=API.list("v1", about=new())).error
    assert isinstance(error, MalformedResponseError)
    assert error.request_id == "5"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Request-Id": " "},
        {"X-Request-Id": "streamKey=of"},
        {"X-Request-Id": API_KEY},
        {"X-Request-Id": f"see {API_KEY}\x1b[0m"},
        {"X-Varnish": f"7-{API_KEY[:9]}"},
    ],
    ids=range(6),
)
def test_without_a_request_id_the_error_shows_no_id(headers: dict[str, str]) -> None:
    for status in (400, 200):
        error = failure(Response(status=status, headers=headers)).error
        assert isinstance(error, ApiError | MalformedResponseError)
        assert error.request_id is None
        assert "request id" not in str(error)


def test_what_went_wrong_on_the_way_is_told_without_secrets() -> None:
    detail = f"lost {API_KEY}, {STREAM_KEY}\r\nand {STREAM_KEY[:8]}"
    assert told(NoResponse(detail=detail, sent=True)) == f"lost ***, *** and ***: {ASKED}"


def test_a_long_first_segment_of_the_stream_url_is_a_secret_too() -> None:
    request = API.create(new(stream_url="rtmp://h.example/a-key-in-the-path"))
    text = told(Response(status=400, body=denial(errors=["bad a-key-in-the-path"])), request)
    assert "a-key-in-the-path" not in text
    assert "bad ***" in text


@pytest.mark.parametrize("said", ["streamKey=somebody-elses", "see rtmp://x.example/y/z"])
def test_text_that_may_hold_foreign_keys_is_withheld(said: str) -> None:
    error = failure(
        Response(status=400, body=denial(errors=[said, "the rest"])), request=API.toggle(7)
    ).error
    assert isinstance(error, ApiError)
    assert error.errors == ("[withheld: it may hold stream keys]", "the rest")


def test_the_repr_of_an_error_tells_as_much_as_its_text() -> None:
    error = failure(Response(status=404)).error
    assert repr(error) == f"NotFoundError({str(error)!r})"


def test_a_restream_without_an_id_is_unreadable() -> None:
    body = envelope({**json.loads(envelope())["result"], "id": ""})
    error = failure(Response(status=200, body=body)).error
    assert isinstance(error, MalformedResponseError)
    assert "id must not be empty" in error.problem
