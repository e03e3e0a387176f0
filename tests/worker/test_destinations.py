"""A new live video gets one restream for each destination, even if its event is repeated."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import FastAPI

from restream_async import (
    BackendFetchFailedError,
    BadRequestError,
    ConfigurationError,
    UnauthorizedError,
)
from restream_async.errors import Call, RestreamError
from restream_async.worker.commands import MAX_BYTES
from restream_async.worker.destinations import (
    Destination,
    UnusableEventError,
    read_destinations,
    restreams_for,
)
from restream_async.worker.webhooks import SECRET_HEADER, Webhook, aiohttp_handler, asgi_endpoint
from tests.worker.test_handling import FakeClient

TOML = """
[[destinations]]
title = "YouTube: {title}"
stream_url = "rtmps://a.rtmps.youtube.com/live2"
stream_key_env = "YOUTUBE_KEY"

[[destinations]]
title = "Twitch {videoId}"
stream_url = "rtmp://live.twitch.tv/app"
stream_key_file = "twitch.key"
status = false
"""
ENVIRONMENT = {"YOUTUBE_KEY": "youtube-secret"}
CALL = Call("POST", "/r", "v1")


def event(kind: str = "live.video.created", **data: object) -> bytes:
    about = {"PublicId": "v1", "Title": "My\nshow", **data}
    return json.dumps(
        {"data": about, "eventTime": "2023-10-19T08:38:02.8236169Z", "eventType": kind}
    ).encode()


@pytest.fixture
def destinations(tmp_path: Path) -> tuple[Destination, ...]:
    (tmp_path / "d.toml").write_text(TOML)
    (tmp_path / "twitch.key").write_text("twitch-secret\n")
    return read_destinations(tmp_path / "d.toml", ENVIRONMENT)


def test_each_destination_gets_a_restream_with_its_own_title_and_key(
    destinations: tuple[Destination, ...],
) -> None:
    youtube, twitch = restreams_for(event(), destinations)

    assert (youtube.title, youtube.stream_key, youtube.status) == (
        "YouTube: My show",
        "youtube-secret",
        True,
    )
    assert (twitch.title, twitch.stream_key, twitch.status) == ("Twitch v1", "twitch-secret", False)
    assert {youtube.video_id, twitch.video_id} == {"v1"}


def test_destinations_can_be_json(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(
        json.dumps([{"title": "T", "stream_url": "rtmp://h/a", "stream_key_env": "YOUTUBE_KEY"}])
    )

    (found,) = read_destinations(tmp_path / "d.json", ENVIRONMENT)

    assert found.stream_key == "youtube-secret"
    assert "secret" not in repr(found)


@pytest.mark.parametrize("kind", ["live.video.updated", "live.video.deleted", "something.else"])
def test_other_events_create_nothing(kind: str, destinations: tuple[Destination, ...]) -> None:
    assert restreams_for(event(kind), destinations) == []


def test_an_event_without_a_title_still_creates_restreams(
    destinations: tuple[Destination, ...],
) -> None:
    youtube, _ = restreams_for(event(Title=None), destinations)

    assert youtube.title == "YouTube:"


def test_stray_characters_around_a_title_of_an_event_are_left_out(
    destinations: tuple[Destination, ...],
) -> None:
    youtube, _ = restreams_for(event(Title="\ufeffMy show \u200b"), destinations)

    assert youtube.title == "YouTube: My show"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\xef\xbb\xbftwitch-key\r\n", "twitch-key"),
        ("twitch-key".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"twitch-key\xff", "is not UTF-8"),
        (b"twitch-key \n", "stream_key must not end with U\\+0020"),
    ],
)
def test_a_stream_key_file_is_read_like_other_key_files(
    destinations: tuple[Destination, ...], tmp_path: Path, data: bytes, key: str
) -> None:
    del destinations
    (tmp_path / "twitch.key").write_bytes(data)
    if key == "twitch-key":
        _, twitch = read_destinations(tmp_path / "d.toml", ENVIRONMENT)
        assert twitch.stream_key == key
        return
    with pytest.raises(ConfigurationError, match=key):
        read_destinations(tmp_path / "d.toml", ENVIRONMENT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"secret", "it is not JSON"),
        (b"[]", "it is not an object with an eventType"),
        (b'{"eventType": 5}', "it is not an object with an eventType"),
        (b'{"eventType": "live.video.created"}', "PublicId must be a string, not NoneType"),
        (event(PublicId=""), "PublicId must not be empty"),
        (event(PublicId=".."), "PublicId must not be '..'"),
        (b" " * 2**21, "too large"),
    ],
)
def test_a_message_that_is_not_an_event_is_named_as_such(
    data: bytes, reason: str, destinations: tuple[Destination, ...]
) -> None:
    with pytest.raises(UnusableEventError, match=reason.replace(".", r"\.")) as caught:
        restreams_for(data, destinations)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lists no destinations"),
        ("destinations = [1]", "destination 1 of .* is not a table"),
        ("stream_key = secret", "it is not TOML or JSON at line 1"),
        ('[[destinations]]\nstream_key = "secret"', "holds a stream key"),
        ('[[destinations]]\nkey = "secret"', "has unknown fields: key"),
        ("[[destinations]]", "must name either stream_key_env or stream_key_file"),
        ('[[destinations]]\nstream_key_env = "X"', "no stream key in the variable X"),
        (
            '[[destinations]]\nstream_key_file = "none"',
            r"no stream key in the file none \(No such file or directory\)",
        ),
        ('[[destinations]]\nstream_key_env = "YOUTUBE_KEY"', "title must not be empty"),
        (
            '[[destinations]]\nstream_key_env = "YOUTUBE_KEY"\ntitle = "t"\nstream_url = "secret"',
            "stream_url must have a scheme and a host",
        ),
        (
            TOML.replace("false", '"yes"')
            .replace("file", "env")
            .replace("twitch.key", "YOUTUBE_KEY"),
            "status must be true or false",
        ),
    ],
)
def test_a_wrong_destinations_file_is_named_with_the_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "d.toml").write_text(text)

    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_destinations(tmp_path / "d.toml", ENVIRONMENT)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_destinations(tmp_path / "none.toml")


async def test_an_event_is_answered_with_204_when_all_restreams_exist(
    destinations: tuple[Destination, ...],
) -> None:
    client = FakeClient()
    webhook = Webhook(client=client, destinations=destinations)

    assert await webhook.receive(event()) == 204
    assert await webhook.receive(event("live.video.deleted")) == 204
    assert client.calls == ["fresh check, v1", "fresh check, v1"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BackendFetchFailedError(CALL, status=503), 503),
        (UnauthorizedError(CALL, status=401), 503),
        (BadRequestError(CALL, status=400), 204),
    ],
)
async def test_an_event_is_requested_again_only_if_that_may_help(
    error: RestreamError, status: int, destinations: tuple[Destination, ...]
) -> None:
    webhook = Webhook(client=FakeClient([error]), destinations=destinations)

    assert await webhook.receive(event()) == status


async def test_a_body_that_is_not_an_event_is_a_bad_request(
    destinations: tuple[Destination, ...],
) -> None:
    webhook = Webhook(client=FakeClient(), destinations=destinations)

    assert await webhook.receive(b"{}") == 400


async def test_a_wrong_secret_is_forbidden(
    destinations: tuple[Destination, ...],
) -> None:
    client = FakeClient()
    webhook = Webhook(client=client, destinations=destinations, secret="open sesame")

    assert [await webhook.receive(event(), said) for said in (None, "", "other")] == [403] * 3
    assert client.calls == []
    assert await webhook.receive(event(), "open sesame") == 204
    assert "sesame" not in repr(webhook)


async def test_the_route_for_aiohttp_answers_as_the_webhook_does(
    destinations: tuple[Destination, ...],
) -> None:
    client = FakeClient()
    webhook = Webhook(client=client, destinations=destinations, secret="open sesame")
    app = web.Application()
    app.router.add_post("/webhooks", aiohttp_handler(webhook))
    headers = {SECRET_HEADER: "open sesame"}

    async with TestClient(TestServer(app)) as caller:
        answers = [
            await caller.post("/webhooks", data=data, headers=said)
            for data, said in (
                (event(), headers),
                (event(), {}),
                (b"{}", headers),
                (io.BytesIO(b" " * (MAX_BYTES + 1)), headers),
            )
        ]

    assert [answer.status for answer in answers] == [204, 403, 400, 413]
    assert client.calls == ["fresh check, v1", "fresh check, v1"]


async def called(app: FastAPI, secret: str, *pieces: bytes) -> int:
    """Call a route as an ASGI server does, with a body of unknown length."""
    answers: list[Any] = []
    waiting = list(pieces)

    async def receive() -> Any:  # noqa: ANN401 - ASGI's
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        answers.append(message)

    headers = [(SECRET_HEADER.lower().encode(), secret.encode())]
    scope = {"type": "http", "method": "POST", "path": "/webhooks", "headers": headers}
    await app({**scope, "query_string": b""}, receive, send)
    status: int = answers[0]["status"]
    return status


async def test_the_route_for_fastapi_answers_as_the_webhook_does_and_limits_the_body(
    destinations: tuple[Destination, ...],
) -> None:
    client = FakeClient()
    webhook = Webhook(client=client, destinations=destinations, secret="open sesame")
    app = FastAPI()
    app.add_route("/webhooks", asgi_endpoint(lambda: webhook), methods=["POST"])
    half = b" " * (MAX_BYTES // 2 + 1)

    assert await called(app, "open sesame", event()[:9], event()[9:]) == 204
    assert await called(app, "other", event()) == 403
    assert await called(app, "open sesame", b"{}") == 400
    assert await called(app, "open sesame", half, half, b"never asked for") == 413
    assert client.calls == ["fresh check, v1", "fresh check, v1"]
