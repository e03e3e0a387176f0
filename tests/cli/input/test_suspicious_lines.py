import pytest

from restream_async import NewRestream
from restream_async.cli.input import suspicious_lines
from restream_async.cli.input.suspicious_lines import SuspiciousLines
from tests.helpers.samples import new_restream

ROUNDED = (
    "is a number that a spreadsheet has rounded, such as 1.23457E+11: take the original, and "
    "format the column as text"
)
ERROR_VALUE = "is an error value of a spreadsheet, such as #NAME?: take the original"
SPELLED = (
    "the line in brackets has another spelling of the streamUrl for the same video (a slash at the "
    "end, the case of the host, the default port)"
)
SAME_KEY = "and the same streamKey, so it is the same restream"


def warnings(*items: NewRestream, length: int = 1) -> list[str]:
    """Return the warnings about restreams on lines 2, 3, …."""
    lines = SuspiciousLines()
    for line, item in enumerate(items, 2):
        lines.look_at(item, line=line, length=length)
    return list(lines.warnings("in.csv"))


@pytest.mark.parametrize("value", ["1.23457E+11", "1,23457E+11", "1E+20", "1.2E+100"])
def test_a_number_that_a_spreadsheet_has_rounded_is_found(value: str) -> None:
    assert warnings(new_restream(value)) == [f"Warning: line 2 of in.csv: videoId {ROUNDED}"]
    assert warnings(new_restream(stream_key=value)) == [
        f"Warning: line 2 of in.csv: streamKey {ROUNDED}"
    ]


@pytest.mark.parametrize(
    "value",
    ["#NAME?", "#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NUM!", "#NULL!", "#BEZUG!", "#######"],
)
def test_an_error_value_of_a_spreadsheet_is_found(value: str) -> None:
    assert warnings(new_restream(value)) == [f"Warning: line 2 of in.csv: videoId {ERROR_VALUE}"]
    assert warnings(new_restream(stream_key=value)) == [
        f"Warning: line 2 of in.csv: streamKey {ERROR_VALUE}"
    ]


@pytest.mark.parametrize(
    "value", ["v1", "123456789012", "E+11", "1.5E+x", "vE+11", "#1", "#live!", "#Show", "1e5"]
)
def test_other_values_are_not(value: str) -> None:
    assert warnings(new_restream(value), new_restream("v2", stream_key=value)) == []


def test_a_row_of_several_lines_is_found() -> None:
    (warning,) = warnings(new_restream(), length=2)
    assert warning == (
        "Warning: line 2 of in.csv: a cell of a column that is ignored has a line break: make sure "
        "that its quotes do not hide other restreams"
    )


def spelled(url: str, *, video: str = "v1", key: str = "key-1") -> NewRestream:
    return new_restream(video, stream_url=url, stream_key=key)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://live.example.com/app/",
        "rtmp://LIVE.example.com/app",
        "rtmp://live.example.com:1935/app",
    ],
)
def test_two_spellings_of_one_url_for_one_video_are_found(url: str) -> None:
    plain = spelled("rtmp://live.example.com/app")
    assert warnings(plain, spelled(url)) == [
        f"Warning: line 3 (see 2) of in.csv: {SPELLED} {SAME_KEY}"
    ]
    assert warnings(spelled(url), plain, spelled(url, key="key-2")) == [
        f"Warning: line 3 (see 2) of in.csv: {SPELLED} {SAME_KEY}"
    ]
    (warning,) = warnings(plain, spelled(url, key="key-2"))
    assert warning == (
        f"Warning: line 3 (see 2) of in.csv: {SPELLED} and another streamKey: make sure that both "
        "are wanted"
    )


def test_spellings_of_different_videos_are_not_compared_and_the_same_spelling_is_no_warning() -> (
    None
):
    url = "rtmp://live.example.com/app"
    assert warnings(spelled(url), spelled(f"{url}/", video="v2"), spelled(url, key="key-2")) == []


def test_spellings_are_compared_among_the_latest_restreams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicious_lines, "_REMEMBERED", 2)
    url = "rtmp://live.example.com/app"
    others = [spelled(url, video=f"v{number}") for number in range(2, 6)]
    assert warnings(spelled(url), *others[:3], spelled(f"{url}/")) != []
    assert warnings(spelled(url), *others, spelled(f"{url}/")) == []


def test_of_many_lines_the_first_five_are_named() -> None:
    def lines_of(count: int) -> str:
        (warning,) = warnings(*[new_restream("#NAME?")] * count)
        return warning.partition(" of in.csv")[0]

    assert lines_of(2) == "Warning: lines 2 and 3"
    assert lines_of(5) == "Warning: lines 2, 3, 4, 5 and 6"
    assert lines_of(1239) == "Warning: lines 2, 3, 4, 5, 6 and 1,234 more"
