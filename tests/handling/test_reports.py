"""Reports about a message."""

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from restream_async import Created, Failed, NewRestream, Origin, Restream
from restream_async.errors import BadRequestError, Call
from restream_async.handling.command_messages import Item, Unusable
from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.handling.reports import Source, reports, summary

SOURCE = Source(
    stream="S",
    sequence=7,
    stored=datetime(2026, 1, 2, tzinfo=UTC),
    delivery=2,
    message_id="abc",
)
NEW = NewRestream(
    video_id="v1",
    title="my secret-key is",
    stream_url="rtmps://u:hidden-password@a.example.com/x",
    stream_key="secret-key",
    status=True,
)
DONE = Created(
    index=0,
    request=NEW,
    attempts=3,
    origin=Origin.CONFIRMED,
    maybe_duplicate=True,
    restream=Restream(
        id=5,
        title=NEW.title,
        stream_key=NEW.stream_key,
        stream_url=NEW.stream_url,
        status=True,
        video_id="v1",
    ),
)
DEAD = DeadItem(
    index=1,
    reason="hidden-password and\nsecret-key are wrong",
    failed=Failed(
        index=1,
        request=NEW,
        error=BadRequestError(Call("POST", "/r", "v1"), status=400),
        attempts=4,
    ),
)
ABOUT = {"stream": "S", "sequence": 7, "delivery": 2, "messageId": "abc"}


def decoded_reports(handled: Handled) -> list[dict[str, Any]]:
    return [json.loads(report.body) for report in reports(handled, SOURCE)]


def test_a_created_report_has_the_id_and_no_secrets() -> None:
    assert decoded_reports(Handled(done=(DONE,))) == [
        {
            "outcome": "created",
            "id": 5,
            "videoId": "v1",
            "title": "my *** is",
            "status": True,
            "origin": "confirmed",
            "maybeDuplicate": True,
            "attempts": 3,
            "index": 0,
            **ABOUT,
        }
    ]


def test_a_failed_report_has_the_reason_and_no_secrets() -> None:
    assert decoded_reports(Handled(dead=(DEAD,))) == [
        {
            "outcome": "failed",
            "videoId": "v1",
            "title": "my *** is",
            "errorType": "BadRequestError",
            "error": "*** and *** are wrong",
            "httpStatus": 400,
            "attempts": 4,
            "index": 1,
            **ABOUT,
        }
    ]


def test_an_unreadable_message_is_named_by_its_number_in_the_stream() -> None:
    assert decoded_reports(Handled(dead=(DeadItem(index=0, reason="it is empty"),))) == [
        {
            "outcome": "failed",
            "errorType": "UnusableMessage",
            "error": "it is empty",
            "httpStatus": None,
            "attempts": 0,
            "index": 0,
            **ABOUT,
        }
    ]


@pytest.mark.parametrize(
    "item", [Unusable("title is missing", "v1", "my *** is"), NEW], ids=["unreadable", "untried"]
)
def test_a_dead_letter_names_the_video_of_an_untried_item(item: Item) -> None:
    (letter,) = decoded_reports(Handled(dead=(DeadItem(index=0, reason="no", item=item),)))

    assert (letter["videoId"], letter["title"]) == ("v1", "my *** is")


def test_the_summary_of_a_message_is_one_line_without_secrets() -> None:
    found = attrs.evolve(DONE, origin=Origin.EXISTING)
    of_another = attrs.evolve(DONE, request=attrs.evolve(NEW, video_id="secret-key"))
    unread = DeadItem(index=0, reason="it is empty")

    assert [
        summary(handled)
        for handled in (
            Handled(done=(DONE, DONE, found), dead=(DEAD,)),
            Handled(done=(DONE, of_another)),
            Handled(done=(of_another,)),
            Handled(dead=(unread,)),
            Handled(),
            Handled(delay=0.54321, reason="503\nBackend fetch failed"),
            Handled(delay=30.0),
        )
    ] == [
        "2 created, 1 existed already, 1 not created (video v1)",
        "2 created",
        "1 created (video ***)",
        "1 not created",
        "carried out",
        "again in 0.543 s: 503 Backend fetch failed",
        "again in 30 s",
    ]


def test_only_failures_are_dead_letters_and_each_has_an_id_of_its_own() -> None:
    found = reports(Handled(done=(DONE,), dead=(DEAD,)), SOURCE)

    assert [(each.is_dead_letter, each.message_id) for each in found] == [
        (False, "S:7:1767312000.000000:0"),
        (True, "S:7:1767312000.000000:1"),
    ]


def test_a_broker_without_numbers_and_times_has_reports_too() -> None:
    (report,) = reports(Handled(done=(DONE,)), Source(stream="queue", delivery=1))

    about = {"stream": "queue", "sequence": "", "delivery": 1, "messageId": None}
    assert about.items() <= json.loads(report.body).items()
    assert report.message_id == "queue:::0"


def test_a_message_that_is_delivered_again_has_no_report() -> None:
    assert decoded_reports(Handled(done=(DONE,), delay=1.0)) == []


def test_long_texts_are_cut_in_a_report() -> None:
    longest = attrs.evolve(NEW, video_id="v" * 16_384, title="\U0001f3ac" * 16_384)
    dead = attrs.evolve(
        DEAD,
        reason="r" * 500_000,
        failed=Failed(
            index=1,
            request=longest,
            error=BadRequestError(Call("POST", "/r", "v1"), status=400),
            attempts=1,
        ),
    )

    (report,) = reports(Handled(dead=(dead,)), SOURCE)

    assert len(report.body) < 64 * 1024
