"""Requests and responses: what is told of them."""

from restream_async._http.messages import Response
from tests.helpers.examples import API, API_KEY, STREAM_KEY, new


def test_a_call_is_told_with_its_method_its_route_and_its_video() -> None:
    assert str(API.create(new(video_id="v 1")).call) == "POST /api/v1/p1/restreams (video 'v 1')"
    assert str(API.list("v 1").call) == "GET /api/v1/p1/live-video/v%201/restreams (video 'v 1')"
    assert str(API.toggle(7).call) == "PUT /api/v1/p1/restreams/7/toggle"
    assert str(API.delete("a/b").call) == "DELETE /api/v1/p1/restreams/a%2Fb"


def test_a_call_is_told_without_the_secrets_of_its_restream() -> None:
    careless = new(video_id=f"live with {STREAM_KEY}")
    for request in (API.create(careless), API.list(careless.video_id, about=careless)):
        assert STREAM_KEY not in str(request.call)
        assert "(video 'live with ***')" in str(request.call)


def test_a_request_shows_no_secret() -> None:
    request = API.create(new(stream_url="rtmps://u:pass-word@h/app/hidden-path"))
    for secret in (STREAM_KEY, "pass-word", "hidden-path", API_KEY):
        assert secret not in repr(request)


def test_a_response_shows_neither_its_headers_nor_its_body() -> None:
    response = Response(200, "OK", {"Set-Cookie": API_KEY}, STREAM_KEY.encode())
    assert API_KEY not in repr(response)
    assert STREAM_KEY not in repr(response)


def test_a_request_knows_the_secrets_of_the_restream_that_it_is_about() -> None:
    wish = new()
    assert API.create(wish).secrets == wish.secrets
    assert API.list("v1", about=wish).secrets == wish.secrets
    assert API.list("v1").secrets == ()
