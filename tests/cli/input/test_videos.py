"""A list of videos becomes a row for each destination, or says what is wrong on which line."""

import io
import json

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import BadLine, Format, Row
from restream_async.cli.input.videos import VideoReader
from restream_async.destinations import Destination, KeyFromColumn, KeyFromVariable

PLAIN = Destination(title="{videoId}", stream_url="rtmp://h/a", stream_key="k1")
CHANNEL = Destination(
    title="{channel}: {videoId}",
    stream_url="rtmp://h/b",
    stream_key=KeyFromVariable("KEY_{channel}", {"KEY_one": "secret-1", "KEY_two": "secret-2"}),
)
OTHER = Destination(title="Other", stream_url="rtmp://h/b", stream_key="k")
OWN_KEY = Destination(title="Own", stream_url="rtmp://h/c", stream_key=KeyFromColumn("key"))


def reader(
    *destinations: Destination, form: Format = "csv", may_be_ids: bool = False
) -> VideoReader:
    return VideoReader("videos", form, destinations, file="d.toml", may_be_ids=may_be_ids)


def read(
    text: str | bytes,
    *destinations: Destination,
    form: Format = "csv",
    may_be_ids: bool = False,
) -> list[Row | BadLine]:
    data = text.encode() if isinstance(text, str) else text
    wanted = reader(*destinations or (PLAIN,), form=form, may_be_ids=may_be_ids)
    return list(wanted.read(io.BytesIO(data)))


def shown(items: list[Row | BadLine]) -> list[tuple[int, str]]:
    """Return the line and the title of each row, or the reason why there is none."""
    return [
        (item.line, item.restream.title if isinstance(item, Row) else item.reason) for item in items
    ]


def trouble_of(
    text: str | bytes, *destinations: Destination, form: Format = "csv", may_be_ids: bool = False
) -> str:
    with pytest.raises(CliError) as caught:
        read(text, *destinations, form=form, may_be_ids=may_be_ids)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_each_video_has_a_row_for_each_destination_on_its_line() -> None:
    items = read("channel;videoId\none;v1\n\ntwo;v2\n", PLAIN, CHANNEL)

    assert shown(items) == [(2, "v1"), (2, "one: v1"), (4, "v2"), (4, "two: v2")]
    keys = [item.restream.stream_key for item in items if isinstance(item, Row)]
    assert keys == ["k1", "secret-1", "k1", "secret-2"]


def test_names_of_columns_are_found_in_any_case() -> None:
    assert shown(read("VIDEOID,Channel\nv1,one\n", CHANNEL)) == [(2, "one: v1")]


def test_json_lines_may_have_texts_and_whole_numbers() -> None:
    title = Destination(title="{part}", stream_url="rtmp://h/a", stream_key="k")
    lines = [{"videoId": "v1", "part": "A"}, {"videoId": "v2", "part": 2}]

    items = read("\n".join(map(json.dumps, lines)), title, form="jsonl")

    assert shown(items) == [(1, "A"), (2, "2")]


@pytest.mark.parametrize(
    "text",
    ["v1\nv2\n", "\ufeffv1\r\nv2\r\n", "\n \nv1\n\nv2", "videoId\nv1\nv2\n", '"videoid"\nv1\nv2\n'],
)
def test_a_list_of_ids_may_have_a_first_line_that_names_the_column(text: str) -> None:
    items = read(text, may_be_ids=True)

    assert [title for _, title in shown(items)] == ["v1", "v2"]


def test_ids_are_on_the_lines_of_the_file() -> None:
    assert [item.line for item in read("\nv1\n\nv2", may_be_ids=True)] == [2, 4]


def test_a_list_of_ids_keeps_one_line_at_a_time() -> None:
    wanted = reader(PLAIN, may_be_ids=True)

    records = [list(wanted.record) for _ in wanted.read(io.BytesIO(b"\nv1\nv2\n"))]

    assert records == [[b"v1\n"], [b"v2\n"]]


def test_an_empty_list_has_no_rows() -> None:
    assert read("", may_be_ids=True) == read("\n\n", may_be_ids=True) == []


@pytest.mark.parametrize("first", ["id", "Video_ID", "publicId", "Live Videos", '"video-id"'])
def test_a_first_line_that_names_the_column_otherwise_is_no_id(first: str) -> None:
    assert trouble_of(f"{first}\nv1\n", may_be_ids=True) == (
        "the first line of videos looks like the name of a column: name the column with the ids "
        "videoId"
    )


def test_a_file_that_calls_itself_csv_needs_the_names_of_its_columns() -> None:
    assert trouble_of("v1\nv2\n") == (
        "the first line of videos must name the columns videoId; missing: videoId"
    )


def test_several_columns_are_no_list_of_ids() -> None:
    assert "missing: videoId" in trouble_of("id,title\nv1,T\n", may_be_ids=True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"v 1 ", "videoId must not end with U+0020 (space)"),
        (b"v\xff", "is not UTF-8: save the file as UTF-8"),
        (b"v1,T", "has more than an id: name the columns on the first line (videoId,…)"),
        (b"v\t1", "has more than an id: name the columns on the first line (videoId,…)"),
        (b"..", "videoId must not be '..'"),
    ],
)
def test_a_bad_id_is_named_with_its_line(line: bytes, reason: str) -> None:
    assert shown(read(b"v0\n" + line + b"\n", may_be_ids=True)) == [(1, "v0"), (2, reason)]


def test_a_column_that_the_list_lacks_is_named_with_the_destination_that_uses_it() -> None:
    needs = "(destination 2 of d.toml uses {channel}: add the column, or correct the destination)"

    assert trouble_of("videoId,title\nv1,T\n", PLAIN, CHANNEL) == (
        f"the first line of videos must name the columns videoId,channel; missing: channel {needs}"
    )
    assert trouble_of("v1\n", PLAIN, CHANNEL, may_be_ids=True) == (
        f"videos is a list of ids without columns; missing: channel {needs}"
    )
    assert shown(read('{"videoId": "v1", "Channel": "one"}', PLAIN, CHANNEL, form="jsonl")) == [
        (1, f"channel is missing {needs}")
    ]
    assert shown(read("{}", PLAIN, CHANNEL, form="jsonl")) == [(1, "videoId is missing")]


def test_a_column_that_is_there_twice_is_refused_if_it_is_used() -> None:
    text = "videoId,channel,channel,x,x\n"

    assert trouble_of(text, CHANNEL) == "videos has the column channel more than once"
    assert read(text) == []


def test_a_video_may_be_there_once() -> None:
    items = read(
        "videoId\nv1\nv2\nv1\n",
        PLAIN,
        Destination(title="2", stream_url="rtmp://h/b", stream_key="k"),
    )

    assert [item.line for item in items] == [2, 2, 3, 3, 4]
    assert shown(items)[-1] == (4, "has the video of line 2 again: remove one of the lines")


def test_a_second_reading_finds_the_same_as_the_first() -> None:
    again = reader(PLAIN)

    first, second = (list(again.read(io.BytesIO(b"videoId\nv1\n"))) for _ in range(2))

    assert first == second
    assert shown(second) == [(2, "v1")]


def test_every_problem_of_a_line_is_named_with_its_destination() -> None:
    items = read("videoId,channel,key\nv1,three,\nv2,one,k\n", PLAIN, CHANNEL, OWN_KEY)

    reason = (
        "destination 2: streamKey is missing: set the variable KEY_{channel}; "
        "destination 3: streamKey needs a text in the column key"
    )
    assert shown(items[:1]) == [(2, reason)]
    assert [item.line for item in items[1:]] == [3, 3, 3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"videoId": 1}', "videoId must be a string"),
        ('{"videoId": ""}', "videoId must not be empty"),
        ("[]", "is not a JSON object"),
        ("secret", "is not JSON at position 0"),
    ],
)
def test_a_bad_json_line_is_named(line: str, reason: str) -> None:
    assert shown(read('{"videoId": "v0"}\n' + line, form="jsonl"))[1] == (2, reason)


def test_columns_that_no_destination_uses_are_noted() -> None:
    wanted = reader(CHANNEL)
    list(wanted.read(io.BytesIO(b"videoId,channel,notes\nv1,one,x\n")))

    assert [*wanted.extra] == ["notes"]
