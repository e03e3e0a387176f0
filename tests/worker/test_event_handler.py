"""What becomes of an event on the stream."""

from typing import Any

import pytest

from restream_async import (
    BadRequestError,
    InternalServerError,
    NewRestream,
    OutageError,
    RestreamError,
)
from restream_async.changes import Action
from restream_async.destinations import Destination
from restream_async.handling.command_messages import Unusable
from restream_async.handling.redelivery import MOST_DELIVERIES
from restream_async.worker.command_publishing import UnpublishedError
from restream_async.worker.event_handler import EventHandler
from restream_async.worker.event_rules import DEFAULT_RULES, Rule
from tests.handling.test_message_handler import Setup
from tests.helpers.examples import FIELDS, stored
from tests.worker.test_event_actions import CALL, REFUSED, FakeEventClient

DESTINATION = Destination(
    title="t", stream_url=FIELDS["stream_url"], stream_key=FIELDS["stream_key"]
)
CREATED = b'{"eventType": "live.video.created", "data": {"PublicId": "v5"}}'
DELETED = b'{"eventType": "live.video.deleted", "data": {"Id": "v1"}}'
RULES = (*DEFAULT_RULES, Rule(event="live.video.deleted", action=Action.DELETE))
BAD = BadRequestError(CALL, status=400)
BUSY = InternalServerError(CALL, status=500)


class Failing:
    async def publish_all(self, *_: object, **__: object) -> None:
        raise UnpublishedError("the stream is full")


def handler(
    client: FakeEventClient,
    publisher: Any = None,  # noqa: ANN401 - a stand-in
    setup: Setup | None = None,
) -> EventHandler:
    return EventHandler(
        destinations=[DESTINATION],
        rules=RULES,
        messages=(setup or Setup(client)).handler,
        client=client,
        publisher=publisher,
    )


async def test_an_event_whose_commands_cannot_be_published_is_delivered_again() -> None:
    failing = handler(FakeEventClient(), Failing())

    handled = await failing.handle(CREATED, MOST_DELIVERIES - 1)

    assert (handled.delay, handled.reason) == (5.0, "the stream is full")


async def test_an_event_that_fails_for_long_becomes_a_dead_letter() -> None:
    failing = handler(FakeEventClient(), Failing())

    (dead,) = (await failing.handle(CREATED, MOST_DELIVERIES)).dead

    assert dead.reason == f"given up after {MOST_DELIVERIES} deliveries: the stream is full"
    assert dead.item == Unusable(dead.reason, "v5")


async def test_a_rule_changes_restreams_at_once() -> None:
    client = FakeEventClient(has=[stored(id=1)])

    handled = await handler(client).handle(DELETED, 1)

    assert handled.verdict == "done"
    assert client.calls == ["list v1", "delete 1"]


@pytest.mark.parametrize(
    ("errors", "verdict", "reasons"),
    [
        ({1: BUSY, 2: BAD}, "retry", []),
        ({1: BAD, 2: BAD}, "dead", [str(BAD), str(BAD)]),
    ],
)
async def test_a_change_that_fails_is_tried_again_only_if_that_may_help(
    errors: dict[object, RestreamError], verdict: str, reasons: list[str]
) -> None:
    client = FakeEventClient(has=[stored(id=1), stored(id=2)], errors=errors)

    handled = await handler(client).handle(DELETED, 1)

    assert handled.verdict == verdict
    assert [(each.index, each.reason) for each in handled.dead] == list(enumerate(reasons))
    assert handled.reason == ("" if reasons else str(BUSY))


@pytest.mark.parametrize("error", [REFUSED, OutageError(CALL)], ids=["key", "outage"])
async def test_an_event_is_held_while_the_service_cannot_be_reached_or_refuses_the_key(
    error: RestreamError,
) -> None:
    client = FakeEventClient(has=[stored(id=1)], list_error=error)
    setup = Setup(client)

    def mend_in_the_end() -> None:
        if len(setup.slept) == 3 * MOST_DELIVERIES:
            client.list_error = None

    setup.after_sleep = mend_in_the_end
    handled = await handler(client, setup=setup).handle(DELETED, MOST_DELIVERIES)

    assert handled.verdict == "done"
    assert client.calls[-2:] == ["list v1", "delete 1"]


async def test_an_event_that_is_held_is_given_back_if_the_worker_stops() -> None:
    client = FakeEventClient(list_error=REFUSED)
    setup = Setup(client)

    def stop() -> None:
        setup.stopping = True

    setup.after_sleep = stop
    handled = await handler(client, setup=setup).handle(DELETED, MOST_DELIVERIES)

    assert (handled.delay, handled.reason) == (0.0, "the worker stops")


async def test_an_event_that_no_rule_fits_is_done() -> None:
    client = FakeEventClient()

    assert (await handler(client).handle(DELETED.replace(b"deleted", b"updated"), 1)).verdict == (
        "done"
    )
    assert client.calls == []


async def test_an_event_that_cannot_be_used_is_a_dead_letter() -> None:
    (dead,) = (await handler(FakeEventClient()).handle(b"{}", 1)).dead

    assert dead.reason == "the event cannot be used: it is not an object with an eventType"


async def test_a_new_live_video_becomes_commands_that_ask_for_a_check() -> None:
    published: list[tuple[str, bool]] = []

    class Taking:
        async def publish_all(self, wanted: list[NewRestream], *, check_first: bool) -> None:
            published.extend((new.video_id, check_first) for new in wanted)

    handled = await handler(FakeEventClient(), Taking()).handle(CREATED, 1)

    assert handled.verdict == "done"
    assert published == [("v5", True)]
