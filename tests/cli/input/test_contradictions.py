from unittest import mock

import pytest

from restream_async.cli.input.contradictions import without_contradictions
from restream_async.cli.input.formats import BadLine, LineReader
from tests.helpers.command_line import HEADER, no_secrets

SAME = "rtmp://live.example.com/app,stream-key-nobody-may-see"


def read(*rows: str) -> list[str]:
    """Return what is wrong with each row; an empty text for a good one."""
    lines = [f"{row}\n".encode() for row in (HEADER, *rows)]
    items = without_contradictions(LineReader("in.csv", "csv").read(lines))
    return [item.reason if isinstance(item, BadLine) else "" for item in items]


@pytest.mark.parametrize(
    ("row", "different"),
    [
        (f"v1,Other,{SAME},true", "title"),
        (f"v1,YouTube,{SAME},false", "status"),
        (f"v1,Other,{SAME},false", "title and status"),
        (f"v1,Other,{SAME.replace('rtmp://live', 'RTMP://LIVE')},true", "title"),
    ],
)
def test_a_line_that_wants_the_same_restream_otherwise_contradicts(
    row: str, different: str
) -> None:
    reason = read(f"v1,YouTube,{SAME},true", "", row)
    assert reason[0] == ""
    assert reason[1] == (
        "contradicts line 2: it has the same videoId, streamUrl and streamKey, but another "
        f"{different}"
    )
    assert no_secrets(*reason)


@pytest.mark.parametrize(
    "row",
    [
        f"v1,YouTube,{SAME},true",
        f"v2,Other,{SAME},false",
        f"v1,YouTube,{SAME}-2,false",
        f"v1,YouTube,{SAME.replace('app', 'app2')},false",
    ],
)
def test_other_lines_do_not_contradict(row: str) -> None:
    assert read(f"v1,YouTube,{SAME},true", row) == ["", ""]


def test_a_line_is_compared_with_the_first_of_its_restream() -> None:
    rows = [f"v1,A,{SAME},true", f"v1,B,{SAME},true", f"v1,A,{SAME},true", f"v1,B,{SAME},true"]
    assert ["line 2" in reason for reason in read(*rows)] == [False, True, False, True]


def test_video_ids_that_differ_only_in_case_contradict() -> None:
    rows = [f"v1,A,{SAME}-{number},true" for number in range(2)]
    reasons = read(rows[0], rows[1].replace("v1", "V1"), rows[1])
    assert reasons == [
        "",
        "contradicts line 2: its videoId differs only in upper and lower case",
        "",
    ]


def test_a_line_that_is_bad_stays_bad() -> None:
    assert read("v1,A", f"v1,A,{SAME},maybe", f"v1,B,{SAME},true") == [
        mock.ANY,
        mock.ANY,
        "",
    ]
