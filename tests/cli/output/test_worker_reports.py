"""Reports of workers as lines."""

import datetime as dt
import json
from typing import Any

import pytest

from restream_async.cli.output.worker_reports import letter_text, outcome_text, report_json

TIME = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
LOCAL = f"{TIME.astimezone():%Y-%m-%d %H:%M:%S}"
CREATED = {"outcome": "created", "id": 7, "videoId": "v1", "title": "T", "origin": "posted"}
FAILED = {"outcome": "failed", "videoId": "v1", "title": "T", "error": "404 Not\nFound \x1b[2J"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (CREATED, "created   v1  T: restream 7 (posted)"),
        ({**CREATED, "origin": "existing"}, "existing  v1  T: restream 7 (existing)"),
        ({**CREATED, "maybeDuplicate": True}, "created   v1  T: restream 7 (posted, may exist twi"),
        (FAILED, "failed    v1  T: 404 Not Found"),
        ({"error": "it is no object"}, "unknown   it is no object"),
        ({**CREATED, "title": "a\x1b[2J\nb"}, "created   v1  a"),
    ],
)
def test_an_outcome_is_one_line_that_cannot_steer_a_terminal(
    body: dict[str, Any], text: str
) -> None:
    line = outcome_text(body, TIME)
    assert line.startswith(f"{LOCAL}  {text}")
    assert line.isprintable()


def test_a_dead_letter_begins_with_its_number_and_ends_with_its_note() -> None:
    line = letter_text(12, FAILED, TIME, " (note)")
    assert line.startswith(f"    12  {LOCAL}  v1  T: 404 Not Found")
    assert line.endswith(" (note)")
    assert line.isprintable()


def test_json_has_the_report_with_its_time_in_ascii() -> None:
    line = report_json({**FAILED, "title": "é"}, TIME, id=3)
    assert line.isascii()
    assert json.loads(line) == {
        **FAILED,
        "title": "é",
        "id": 3,
        "time": "2026-01-31T12:00:00+00:00",
    }
