"""A destination makes the restream of a video, from the columns of its list."""

from pathlib import Path

import pytest

from restream_async import InvalidRestreamError
from restream_async.destinations import (
    Destination,
    KeyFromColumn,
    KeyFromFile,
    KeyFromVariable,
    restreams_of,
)
from restream_async.destinations.stream_keys import StreamKeySource

PLAIN = Destination(title="T", stream_url="rtmp://h/a", stream_key="key-1")


def destination(
    title: str = "T", url: str = "rtmp://h/a", key: str | StreamKeySource = "key-1"
) -> Destination:
    return Destination(title=title, stream_url=url, stream_key=key)


def problem_of(*destinations: Destination, video_id: str = "v1", **columns: object) -> str:
    with pytest.raises(InvalidRestreamError) as caught:
        restreams_of(video_id, destinations, columns)
    return str(caught.value)


def test_columns_fill_the_title_the_stream_url_and_the_name_of_the_variable() -> None:
    found = Destination(
        title="{channel}: {title} ({videoId})",
        stream_url="rtmp://{host}/app/{part}",
        stream_key=KeyFromVariable("KEY_{channel}", {"KEY_ONE": "secret-1"}),
        status=False,
    )

    new = found.restream("v1", {"channel": "ONE", "title": "Show", "host": "h", "part": 7})

    assert (new.title, new.stream_url, new.stream_key, new.status) == (
        "ONE: Show (v1)",
        "rtmp://h/app/7",
        "secret-1",
        False,
    )
    assert found.columns == {"channel", "title", "host", "part"}


def test_a_destination_without_placeholders_needs_no_columns() -> None:
    assert PLAIN.columns == frozenset()
    assert PLAIN.restream("v1").title == "T"


@pytest.mark.parametrize(
    ("title", "filled"),
    [
        ("My\nshow", "A: My show"),
        ("\ufeffMy show \u200b", "A: My show"),
        (None, "A:"),
        (True, "A:"),
        (1.5, "A:"),
        (12, "A: 12"),
        ("{videoId}", "A: {videoId}"),
    ],
)
def test_a_title_is_one_line_and_may_lack_a_column(title: object, filled: str) -> None:
    assert destination("A: {title}").restream("v1", {"title": title}).title == filled


def test_a_title_without_any_text_is_the_id_of_the_video() -> None:
    assert destination("{title}").restream("v1").title == "v1"


def test_a_title_without_placeholders_stays_as_it_is() -> None:
    assert destination("\u2764\u200d\U0001f525").restream("v1").title == "\u2764\u200d\U0001f525"


def test_the_id_of_the_video_is_never_that_of_a_column() -> None:
    assert destination("{videoId}").restream("v1", {"videoId": "v2"}).title == "v1"


def test_restreams_are_in_the_order_of_their_destinations() -> None:
    both = restreams_of("v1", [PLAIN, destination("U", key="key-2")])

    assert [new.title for new in both] == ["T", "U"]


def test_every_destination_with_a_problem_is_named(tmp_path: Path) -> None:
    assert problem_of(
        PLAIN,
        destination(url="rtmp://h/{app}"),
        destination(key=KeyFromVariable("KEY_{channel}", {})),
        destination(key=KeyFromFile("{channel}.key", tmp_path)),
        destination(key=KeyFromColumn("k")),
        destination(url="{url}"),
        channel="one",
        url="secret",
    ) == (
        "destination 2: stream_url needs a text in the column app; "
        "destination 3: stream_key is missing: set the variable KEY_{channel}; "
        "destination 4: stream_key is missing: the file {channel}.key cannot be read: "
        "No such file or directory; "
        "destination 5: stream_key needs a text in the column k; "
        "destination 6: stream_url must have a scheme and a host, such as "
        "rtmps://live.example.com/app"
    )


def test_two_destinations_that_turn_out_to_be_one_are_named() -> None:
    pair = destination(url="rtmp://{one}/a"), destination(url="rtmp://{two}/a/")

    assert problem_of(*pair, one="h", two="H") == (
        "destination 2 has the stream URL and the stream key of destination 1: remove one of them"
    )
    assert len(restreams_of("v1", pair, {"one": "h", "two": "i"})) == 2


def test_a_wrong_id_is_one_problem() -> None:
    assert problem_of(PLAIN, PLAIN, video_id="..") == "video_id must not be '..'"
