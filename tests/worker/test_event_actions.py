"""Restreams that match a destination are enabled, disabled or deleted; it is safe to repeat."""

from collections.abc import Sequence

import attrs
import pytest

from restream_async import NewRestream, NotFoundError, Restream, RestreamError, UnauthorizedError
from restream_async.changes import Action
from restream_async.errors import Call
from restream_async.worker.event_actions import change_existing
from restream_async.worker.platform_events import Task
from tests.handling.test_message_handler import FakeClient
from tests.helpers.examples import new, stored

CALL = Call("GET", "/r", "v1")
GONE = NotFoundError(CALL, status=404)
REFUSED = UnauthorizedError(CALL, status=401)


@attrs.define
class FakeEventClient(FakeClient):
    """Has restreams; calls about those in `errors` fail, and so do lists with `list_error`."""

    has: Sequence[Restream] = ()
    errors: dict[object, RestreamError] = attrs.field(factory=dict[object, RestreamError])
    list_error: RestreamError | None = None

    async def list(self, video_id: str) -> Sequence[Restream]:
        self.calls.append(f"list {video_id}")
        if self.list_error is not None:
            raise self.list_error
        return self.has

    async def set_status(self, restream: Restream, on: bool) -> Restream:  # noqa: FBT001 - as the client has it
        self._note(f"{'enable' if on else 'disable'} {restream.id}", restream.id)
        return attrs.evolve(restream, status=on)

    async def delete(self, restream_id: int | str) -> bool:
        self._note(f"delete {restream_id}", restream_id)
        return True

    def _note(self, call: str, restream_id: object) -> None:
        self.calls.append(call)
        if restream_id in self.errors:
            raise self.errors[restream_id]


def task(action: Action, *wanted: NewRestream) -> Task:
    return Task(action=action, video_id="v1", wanted=wanted)


@pytest.mark.parametrize("action", [Action.ENABLE, Action.DISABLE, Action.DELETE])
async def test_each_restream_that_matches_a_destination_is_changed(action: Action) -> None:
    client = FakeEventClient(
        has=[
            stored(id=1, title="another title"),
            stored(id=2, stream_key="another key"),
            stored(id=3, stream_url="rtmps://live.example.com:443/app/"),
            stored(id=4, stream_key="of the other"),
        ]
    )

    failures = await change_existing(client, task(action, new(), new(stream_key="of the other")))

    assert failures == []
    assert client.calls == ["list v1", *(f"{action.value} {number}" for number in (1, 3, 4))]


@pytest.mark.parametrize("action", [Action.DISABLE, Action.DELETE])
async def test_what_does_not_exist_is_done(action: Action) -> None:
    client = FakeEventClient(has=[stored(id=1), stored(id=2)], errors={1: GONE})

    assert await change_existing(client, task(action, new())) == []
    assert client.calls[1:] == [f"{action.value} 1", f"{action.value} 2"]
    assert await change_existing(FakeEventClient(list_error=GONE), task(action, new())) == []


async def test_what_fails_is_returned_and_the_rest_is_done() -> None:
    client = FakeEventClient(has=[stored(id=1), stored(id=2)], errors={1: REFUSED})

    assert await change_existing(client, task(Action.DISABLE, new())) == [REFUSED]
    assert client.calls[1:] == ["disable 1", "disable 2"]


async def test_a_list_that_fails_is_returned() -> None:
    client = FakeEventClient(list_error=REFUSED)

    assert await change_existing(client, task(Action.DISABLE, new())) == [REFUSED]


async def test_a_restream_that_is_not_shown_in_full_is_left_alone_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = FakeEventClient(has=[stored(id=7, stream_key="***")])

    assert await change_existing(client, task(Action.DELETE, new())) == []
    assert client.calls == ["list v1"]
    assert caplog.messages == [
        "restream 7 is left alone: the service does not show it in full",
    ]
