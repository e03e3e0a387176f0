import io
import json
from collections.abc import Iterator

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import STATUS_WORDS, BadLine, Format, LineReader, Row
from tests.helpers.command_line import HEADER, SECRETS, STREAM_KEY, STREAM_URL, row

GOOD = {
    "videoId": "v1",
    "title": "Title 1",
    "streamUrl": STREAM_URL,
    "streamKey": STREAM_KEY,
    "status": True,
}


def read(text: str | bytes, form: Format = "csv") -> list[Row | BadLine]:
    data = text.encode() if isinstance(text, str) else text
    return list(LineReader("input", form).read(io.BytesIO(data)))


def only_reason(items: list[Row | BadLine]) -> str:
    (item,) = items
    assert isinstance(item, BadLine)
    for secret in SECRETS:
        assert secret not in item.reason
    return item.reason


def trouble_of(text: str | bytes, form: Format = "csv") -> str:
    with pytest.raises(CliError) as caught:
        read(text, form)
    return str(caught.value)


def rows(items: list[Row | BadLine]) -> Iterator[Row]:
    for item in items:
        assert isinstance(item, Row), item
        yield item


def test_a_line_of_csv_becomes_a_restream_with_its_line_number() -> None:
    (item,) = rows(read(f"{HEADER}\n{row(1)}\n"))
    assert item.line == 2
    assert item.restream.video_id == "v1"
    assert item.restream.title == "Title 1"
    assert item.restream.stream_url == STREAM_URL
    assert item.restream.stream_key == f"{STREAM_KEY}-1"
    assert item.restream.status is True


def test_columns_may_stand_in_any_order_and_case() -> None:
    (item,) = rows(
        read("STATUS, Title ,streamkey,VideoID,streamUrl\n0,T,k-123,v9,rtmp://h.example/a\n")
    )
    assert (item.restream.video_id, item.restream.status) == ("v9", False)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_a_spreadsheet_puts_between_cells_is_recognised(delimiter: str) -> None:
    text = f"{HEADER}\n{row(1)}\n".replace(",", delimiter)
    assert len(list(rows(read(text)))) == 1


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_windows_line_endings_and_a_missing_last_one_are_fine(
    ending: str,
) -> None:
    data = b"\xef\xbb\xbf" + ending.join([HEADER, row(1), row(2)]).encode()
    assert [item.line for item in rows(read(data))] == [2, 3]


def test_blank_lines_are_skipped_and_still_counted() -> None:
    text = f"\n  \n{HEADER}\n\n{row(1)}\n,,,,\n   \n{row(2)}\n\n"
    assert [item.line for item in rows(read(text))] == [5, 8]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_in_other_columns_line_breaks() -> None:
    text = f'{HEADER},notes\nv1,"Tom, ""the"" DJ",rtmp://h.example/a,k-123,on,"two\nlines"\n'
    items = list(rows(read(text + row(2) + ",\n")))
    assert items[0].restream.title == 'Tom, "the" DJ'
    assert [item.line for item in items] == [2, 4]


@pytest.mark.parametrize(("word", "status"), STATUS_WORDS.items())
def test_every_word_for_a_status_is_understood_in_any_case(word: str, status: bool) -> None:  # noqa: FBT001
    (item,) = rows(read(f"{HEADER}\n{row(1, status=f' {word.upper()} ')}\n"))
    assert item.restream.status is status


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("v1,T,rtmp://h.example/a,k-123,maybe", "status must be one of true, 1, yes, on"),
        ("v1,T,rtmp://h.example/a,k-123,", "status must be one of"),
        ("v1,T,no-url,k-123,1", "streamUrl must have a scheme and a host"),
        (",T,rtmp://h.example/a,k-123,1", "videoId must not be empty"),
        ("v1,T,rtmp://h.example/a, k-123,1", "streamKey must not begin with U+0020 (space)"),
        ("v1,T,rtmp://h.example:99999/a,k-123,1", "streamUrl must have a port from 1 to 65535"),
        ("v1", "has 1 cell, but the header has 5"),
        ("v1,T,rtmp://h.example/a,k-123", "has 4 cells, but the header has 5"),
        ("v1,T,rtmp://h.example/a,k-123,1,x", "has 6 cells, but the header has 5"),
        ('v1,"T,rtmp://h.example/a,k-123,1', "a quoted cell is not closed"),
        ('v1,"T"x,rtmp://h.example/a,k-123,1', "is not CSV: "),
        ("v1,T\x1b[2J,rtmp://h.example/a,k-123,1", "title must not contain U+001B (control char"),
        ("v1,T\rU,rtmp://h.example/a,k-123,1", "U+000D (carriage return) stands outside quotes"),
    ],
)
def test_a_bad_line_of_csv_says_which_column_is_wrong_and_why(cells: str, reason: str) -> None:
    assert only_reason(read(f"{HEADER}\n{cells}\n")).startswith(reason)


def test_all_wrong_columns_of_a_line_are_named() -> None:
    reason = only_reason(read(f"{HEADER}\nv1 ,,rtmp://h.example:0,k\u200b,perhaps\n"))
    assert reason == (
        "videoId must not end with U+0020 (space); title must not be empty; "
        "streamUrl must have a port from 1 to 65535, or none; "
        "streamKey must not end with U+200B (zero width space); "
        f"status must be one of {', '.join(STATUS_WORDS)}"
    )


def test_all_wrong_fields_of_a_json_line_are_named() -> None:
    wrong = {**GOOD, "title": 1, "streamUrl": "rtmp://h.example:0", "status": "true"}
    del wrong["streamKey"]
    assert only_reason(read(json.dumps(wrong), "jsonl")) == (
        "title must be a string, not an integer; "
        "streamUrl must have a port from 1 to 65535, or none; "
        "streamKey is missing; status must be true or false, not a string"
    )


def test_names_of_columns_and_words_for_a_status_may_have_stray_characters_around_them() -> None:
    header = HEADER.replace("title", "\u00a0title\u200b").replace("videoId", "\ufeffvideoId")
    line = row(1, status="\u200bYES\u00a0")
    (item,) = rows(read(f"\ufeff{header}\n{line}\n"))
    assert item.restream.status is True


@pytest.mark.parametrize("length", [131_073, 200_000])
def test_a_huge_cell_is_called_huge(length: int) -> None:
    items = read(f"{HEADER}\nv1,{'x' * length},rtmp://h.example/a,k-123,1\n{row(2)}\n")
    bad, good = items
    assert bad == BadLine(2, "a cell is longer than 131,072 characters")
    assert isinstance(good, Row)
    assert "the first line of input: a cell is longer than" in trouble_of(f"{'x' * length},title")


def test_no_secret_of_a_bad_line_is_repeated() -> None:
    texts = [
        f"v1,T,{STREAM_URL},{STREAM_KEY},perhaps",
        f"v1,T,{STREAM_URL},{STREAM_KEY}\x01,1",
        f"v1,T,{STREAM_URL.replace('rtmps://', '//')},{STREAM_KEY},1",
        f'v1,T,"{STREAM_URL}"x,{STREAM_KEY},1',
    ]
    for text in texts:
        only_reason(read(f"{HEADER}\n{text}\n"))


def test_lines_after_a_bad_one_are_read_too() -> None:
    items = read(f"{HEADER}\nx\n{row(1)}\ny\n{row(2)}\n")
    assert [type(item) for item in items] == [BadLine, Row, BadLine, Row]
    assert [item.line for item in items] == [2, 3, 4, 5]


def test_a_quote_that_is_never_closed_is_reported_where_it_opens() -> None:
    many = "\n".join(row(number) for number in range(3000))
    items = read(f'{HEADER}\n{row(1)}\n"{row(2)}\n{many}\n')
    bad = next(item for item in items if isinstance(item, BadLine))
    assert (bad.line, bad.reason) == (
        3,
        "a cell is longer than 131,072 characters: its closing quote seems to be missing",
    )


def test_a_line_that_is_not_utf_8_is_reported_with_its_number() -> None:
    latin = f"{HEADER}\n".encode() + row(1).replace("Title", "Zürich").encode("latin-1")
    assert only_reason(read(latin)) == "is not UTF-8: save the file as UTF-8"


def test_missing_columns_are_named() -> None:
    assert trouble_of("videoId,title,status\n").endswith("missing: streamUrl, streamKey")


def test_missing_columns_are_named_for_other_delimiters_too() -> None:
    assert trouble_of("videoId;title;status;streamKey\n").endswith("missing: streamUrl")


def test_header_cells_without_a_name_are_named() -> None:
    said = trouble_of("videoId,title,,status,\u200b\n")
    assert said.endswith("missing: streamUrl, streamKey; without a name: column 3, column 5")


def test_a_column_without_a_name_is_left_out_where_nothing_is_missing() -> None:
    reader = LineReader("input", "csv")
    lines = [f"{HEADER},\n".encode(), f"{row(1)},\n".encode()]
    assert len(list(rows(list(reader.read(lines))))) == 1
    assert list(reader.extra) == ["column 6 (without a name)"]


def test_a_header_that_is_not_utf_8_is_told_so() -> None:
    said = trouble_of(b"videoId,\xfcbertitel\n")
    assert said == "the first line of input is not UTF-8: save the file as UTF-8"


@pytest.mark.parametrize("start", ["{", " ["])
def test_json_that_is_read_as_csv_is_told_so(start: str) -> None:
    assert trouble_of(f'{start}"videoId": 1').startswith("input is JSON, not CSV: pass --format js")


def test_a_file_without_a_header_is_told_so() -> None:
    assert "must name the columns videoId,title" in trouble_of(row(1))


def test_a_header_that_is_no_csv_is_told_so() -> None:
    said = trouble_of(f"{HEADER}\rmore\n")
    assert said == "the first line of input: U+000D (carriage return) stands outside quotes"


def test_columns_that_stand_twice_are_refused() -> None:
    assert "the column title more than once" in trouble_of(f"{HEADER},Title\n")
    assert "the columns title, status more than once" in trouble_of(f"{HEADER},Title,status\n")


def test_nothing_is_in_an_empty_input() -> None:
    assert read("") == []
    assert read("\n\n") == []
    assert read("\n\n", "jsonl") == []


def test_unknown_columns_and_fields_are_remembered_by_name_up_to_a_bound() -> None:
    reader = LineReader("input", "csv")
    names = [f"note{number}" for number in range(30)]
    list(reader.read([f"{HEADER},{','.join(names)}\n".encode()]))
    assert list(reader.extra) == names[:20]


def test_a_json_line_becomes_a_restream_with_its_line_number() -> None:
    reader = LineReader("input", "jsonl")
    line = json.dumps({**GOOD, "note": 1}).encode()
    items = list(reader.read([b"\xef\xbb\xbf" + line + b"\n", b" \n", line]))
    assert [item.line for item in rows(items)] == [1, 3]
    assert list(reader.extra) == ["note"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "true"}, "status must be true or false, not a string"),
        ({"status": 1}, "status must be true or false, not an integer"),
        ({"videoId": 1}, "videoId must be a string, not an integer"),
        ({"title": None}, "title must be a string, not null"),
        ({"title": " "}, "title must not be empty"),
        ({"streamUrl": "nowhere"}, "streamUrl must have a scheme and a host"),
    ],
)
def test_a_bad_json_line_says_which_field_is_wrong_and_why(
    changes: dict[str, object], reason: str
) -> None:
    text = json.dumps({**GOOD, **changes})
    assert only_reason(read(text, "jsonl")).startswith(reason)


def test_a_json_line_without_a_field_names_it() -> None:
    without = {name: value for name, value in GOOD.items() if name != "streamKey"}
    assert only_reason(read(json.dumps(without), "jsonl")) == "streamKey is missing"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON at position 1"),
        ("7", "is not a JSON object"),
        ('"x"', "is not a JSON object"),
        ('{"a":' * 200_000, "is nested too deeply"),
        ("{}\u00a0x", "is not JSON at position 2, where U+00A0 (no-break space) stands"),
    ],
)
def test_a_line_that_is_no_json_object_says_so(text: str, reason: str) -> None:
    assert only_reason(read(text, "jsonl")) == reason


@pytest.mark.parametrize("text", ["[]", "\ufeff\n [\n", '[{"videoId": "v1"}]'])
def test_a_json_array_is_refused_with_a_way_out(text: str) -> None:
    said = trouble_of(text, "jsonl")
    assert said == (
        "input is a JSON array: write one object on each line, for example with `jq -c '.[]'`"
    )


def test_an_array_on_a_later_line_is_a_bad_line() -> None:
    items = read(f"{json.dumps(GOOD)}\n[]\n", "jsonl")
    assert items[1] == BadLine(2, "is not a JSON object")


def test_a_json_line_that_is_not_utf_8_is_reported() -> None:
    assert only_reason(read(b'{"title": "\xff"}', "jsonl")).startswith("is not UTF-8")
