"""Events come by HTTP, are carried out at once, and may be repeated."""

import io
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import FastAPI

from restream_async import (
    BackendFetchFailedError,
    BadRequestError,
    UnauthorizedError,
)
from restream_async.changes import Action
from restream_async.destinations import Destination
from restream_async.errors import Call, RestreamError
from restream_async.handling.command_messages import MAX_BYTES
from restream_async.worker.event_rules import DEFAULT_RULES, Rule
from restream_async.worker.webhooks import SECRET_HEADER, Webhook, aiohttp_handler, asgi_endpoint
from tests.helpers.examples import FIELDS, stored
from tests.worker.test_event_actions import FakeEventClient
from tests.worker.test_platform_events import event

DESTINATIONS = tuple(
    Destination(title="{title}", stream_url="rtmp://h/a", stream_key=f"key-{number}")
    for number in range(2)
)
CALL = Call("POST", "/r", "v1")


async def test_an_event_is_answered_with_204_when_all_restreams_exist() -> None:
    client = FakeEventClient()
    webhook = Webhook(client=client, destinations=DESTINATIONS)

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
    error: RestreamError, status: int
) -> None:
    webhook = Webhook(client=FakeEventClient([error]), destinations=DESTINATIONS)

    assert await webhook.receive(event()) == status


async def test_a_body_that_is_not_an_event_is_a_bad_request() -> None:
    webhook = Webhook(client=FakeEventClient(), destinations=DESTINATIONS)

    assert await webhook.receive(b"{}") == 400


async def test_a_wrong_secret_is_forbidden() -> None:
    client = FakeEventClient()
    webhook = Webhook(client=client, destinations=DESTINATIONS, secret="open sesame")

    assert [await webhook.receive(event(), said) for said in (None, "", "other", "\udcff")] == [
        403
    ] * 4
    assert client.calls == []
    assert await webhook.receive(event(), "open sesame") == 204
    assert "sesame" not in repr(webhook)


async def test_the_route_for_aiohttp_answers_as_the_webhook_does() -> None:
    client = FakeEventClient()
    webhook = Webhook(client=client, destinations=DESTINATIONS, secret="open sesame")
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


async def test_the_route_for_fastapi_answers_as_the_webhook_does_and_limits_the_body() -> None:
    client = FakeEventClient()
    webhook = Webhook(client=client, destinations=DESTINATIONS, secret="open sesame")
    app = FastAPI()
    app.add_route("/webhooks", asgi_endpoint(lambda: webhook), methods=["POST"])
    half = b" " * (MAX_BYTES // 2 + 1)

    assert await called(app, "open sesame", event()[:9], event()[9:]) == 204
    assert await called(app, "other", event()) == 403
    assert await called(app, "open sesame", b"{}") == 400
    assert await called(app, "open sesame", half, half, b"never asked for") == 413
    assert client.calls == ["fresh check, v1", "fresh check, v1"]


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ({}, 204),
        ({1: BadRequestError(CALL, status=400)}, 204),
        ({1: UnauthorizedError(CALL, status=401)}, 503),
    ],
)
async def test_a_rule_changes_the_restreams_of_an_event(
    errors: dict[object, RestreamError], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeEventClient(has=[stored(id=1), stored(id=2)], errors=errors)
    destination = Destination(
        title="t", stream_url=FIELDS["stream_url"], stream_key=FIELDS["stream_key"]
    )
    rule = Rule(event="live.video.deleted", action=Action.DELETE)
    webhook = Webhook(client=client, destinations=[destination], rules=[*DEFAULT_RULES, rule])

    assert await webhook.receive(event("live.video.deleted")) == status
    assert client.calls == ["list v1", "delete 1", "delete 2"]
    assert caplog.messages == [
        f"an event was not carried out in full: {error}" for error in errors.values()
    ]
