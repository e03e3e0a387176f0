"""The calls of the service: methods, paths and bodies."""

import json
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given

from restream_async import InvalidRestreamError
from restream_async._http.api import Api
from restream_async._http.messages import Request
from tests.helpers.examples import API, STREAM_KEY, new
from tests.helpers.strategies import quick, texts


@pytest.mark.parametrize(
    ("request_", "method", "path"),
    [
        (API.create(new()), "POST", "/api/v1/p1/restreams"),
        (API.list("v1"), "GET", "/api/v1/p1/live-video/v1/restreams"),
        (API.toggle(7), "PUT", "/api/v1/p1/restreams/7/toggle"),
        (API.toggle("r-7"), "PUT", "/api/v1/p1/restreams/r-7/toggle"),
        (API.delete(7), "DELETE", "/api/v1/p1/restreams/7"),
        (API.delete("r-7"), "DELETE", "/api/v1/p1/restreams/r-7"),
    ],
)
def test_each_call_has_its_documented_route(request_: Request, method: str, path: str) -> None:
    assert (request_.method, request_.path) == (method, path)


def test_a_creation_sends_the_five_documented_fields() -> None:
    body = API.create(new(video_id="a/b")).body
    assert body is not None
    assert json.loads(body) == {
        "videoId": "a/b",
        "title": "YouTube",
        "streamUrl": "rtmps://live.example.com/app",
        "streamKey": STREAM_KEY,
        "status": True,
    }


@pytest.mark.parametrize("request_", [API.list("v1"), API.toggle(7), API.delete(7)])
def test_nothing_else_sends_a_body(request_: Request) -> None:
    assert request_.body is None


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a/b", "a%2Fb"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("...", "..."),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("a\\b", "a%5Cb"),
        ("a;b:c@d", "a%3Bb%3Ac%40d"),
        ("vidéo", "vid%C3%A9o"),
        ("🎥", "%F0%9F%8E%A5"),
        ("-_.~", "-_.~"),
    ],
)
def test_an_id_is_escaped_into_one_segment_of_the_path(name: str, escaped: str) -> None:
    assert Api(name).create(new()).path == f"/api/v1/{escaped}/restreams"
    assert API.list(name).path == f"/api/v1/p1/live-video/{escaped}/restreams"
    assert API.toggle(name).path == f"/api/v1/p1/restreams/{escaped}/toggle"
    assert API.delete(name).path == f"/api/v1/p1/restreams/{escaped}"


@given(texts.filter(lambda text: text not in {".", ".."}), texts)
@quick
def test_any_id_stays_one_segment_that_means_the_same(identifier: str, project: str) -> None:
    path = Api(project).delete(identifier).path
    assert path.isascii()
    assert [unquote(segment) for segment in path.split("/")] == [
        *("", "api", "v1"),
        project,
        "restreams",
        identifier,
    ]
    assert not set(path) & set("?# \\")


@pytest.mark.parametrize("call", [API.list, API.toggle, API.delete])
@pytest.mark.parametrize("identifier", ["", " ", ".", "..", "a\nb", "a\ud800", None, 1.5, True])
def test_what_cannot_stand_in_a_path_is_refused(
    call: Callable[..., Request], identifier: object
) -> None:
    field = "video_id" if call == API.list else "restream_id"
    with pytest.raises(InvalidRestreamError) as caught:
        call(identifier)
    assert caught.value.field == field
