"""An event of the platform asks for what the first rule that fits it says."""

import json

import pytest

from restream_async.changes import Action
from restream_async.destinations import Destination, KeyFromVariable
from restream_async.worker.event_rules import Rule
from restream_async.worker.platform_events import UnusableEventError, task_of

YOUTUBE = Destination(title="YouTube: {title}", stream_url="rtmp://h/y", stream_key="youtube-key")
TWITCH = Destination(title="Twitch {videoId}", stream_url="rtmp://h/t", stream_key="twitch-key")
DESTINATIONS = (YOUTUBE, TWITCH)
RULES = (
    Rule(event="live.video.status.changed", when={"status": "Offline"}, action=Action.DISABLE),
    Rule(event="live.video.status.changed", action=Action.ENABLE),
    Rule(event="live.video.deleted", action=Action.DELETE),
)


def event(kind: str = "live.video.created", **data: object) -> bytes:
    about = {"PublicId": "v1", "Title": "My\nshow", **data}
    return json.dumps(
        {"data": about, "eventTime": "2023-10-19T08:38:02.8236169Z", "eventType": kind}
    ).encode()


def test_a_new_live_video_asks_for_a_restream_to_each_destination() -> None:
    task = task_of(event(), DESTINATIONS)

    assert task is not None
    assert (task.action, task.video_id) == (Action.CREATE, "v1")
    assert [new.title for new in task.wanted] == ["YouTube: My show", "Twitch v1"]
    assert {new.video_id for new in task.wanted} == {"v1"}


@pytest.mark.parametrize("kind", ["live.video.updated", "live.video.deleted", "something.else"])
def test_other_events_ask_for_nothing_unless_a_rule_says_so(kind: str) -> None:
    assert task_of(event(kind), DESTINATIONS) is None


def test_rules_replace_those_of_old() -> None:
    assert task_of(event(), DESTINATIONS, RULES) is None


@pytest.mark.parametrize(
    ("status", "action"), [("Offline", Action.DISABLE), ("Live", Action.ENABLE)]
)
def test_the_first_rule_that_fits_counts(status: str, action: Action) -> None:
    # The documented form of these events: the public id is in `Id`.
    data = json.dumps(
        {
            "data": {"Id": "v1", "StatusId": 1, "Status": status, "HealthStatus": "Healthy"},
            "eventType": "live.video.status.changed",
        }
    ).encode()

    task = task_of(data, DESTINATIONS, RULES)

    assert task is not None
    assert (task.action, task.video_id, len(task.wanted)) == (action, "v1", 2)


@pytest.mark.parametrize(
    ("ids", "video_id"),
    [
        ({"PublicId": "v1", "publicId": "v2", "Id": 3, "id": 4}, "v1"),
        ({"publicId": "v2", "Id": 3, "id": 4}, "v2"),
        ({"Id": "v3", "id": 4}, "v3"),
        ({"id": 4}, "4"),
    ],
)
def test_the_public_id_is_preferred_to_other_ids(ids: dict[str, object], video_id: str) -> None:
    data = json.dumps({"data": ids, "eventType": "live.video.created"}).encode()

    task = task_of(data, DESTINATIONS)

    assert task is not None
    assert task.video_id == video_id


def test_an_event_that_lacks_what_a_destination_needs_cannot_be_used() -> None:
    key = KeyFromVariable("KEY_{channelPublicId}", {"KEY_c1": "channel-key"})
    destination = Destination(title="T", stream_url="rtmp://h/a", stream_key=key)

    task = task_of(event(ChannelPublicId="c1"), [destination])
    assert task is not None
    assert task.wanted[0].stream_key == "channel-key"
    with pytest.raises(UnusableEventError, match="destination 1: stream_key needs a text in the"):
        task_of(event(), [destination])


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
def test_a_message_that_is_not_an_event_is_named_as_such(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableEventError, match=reason.replace(".", r"\.")) as caught:
        task_of(data, DESTINATIONS)

    assert "secret" not in str(caught.value)
