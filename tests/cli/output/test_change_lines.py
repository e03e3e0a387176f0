import json

import pytest

from restream_async import JournalError, Restream, RestreamError
from restream_async.changes import Change
from restream_async.cli.output.change_lines import change_line
from restream_async.errors import ConfigurationError
from tests.helpers.changes import (
    LOST,
    UNREADABLE,
    create,
    disable,
    duplicate,
    existing,
    extra,
    keep,
    rotate,
    unread,
)
from tests.helpers.command_line import no_secrets

KEPT: dict[str, object] = {
    "action": "keep",
    "videoId": "v1",
    "title": "YouTube",
    "host": "live.example.com",
    "wantedStatus": True,
    "id": 7,
    "status": True,
    "differences": [],
    "extra": False,
    "duplicate": False,
    "unclear": False,
    "needs": "",
    "inSync": True,
}


@pytest.mark.parametrize(
    ("change", "different"),
    [
        (keep(), {}),
        (keep(is_unclear=True), {"unclear": True}),
        (keep(existing=existing("Old")), {"differences": ["title"]}),
        (create(), {"action": "create", "id": None, "status": None, "inSync": False}),
        (
            disable(),
            {
                "action": "disable",
                "wantedStatus": False,
                "differences": ["status"],
                "inSync": False,
            },
        ),
        (rotate(needs="rotate"), {"action": "rotate", "needs": "rotate", "inSync": False}),
        (
            extra(needs="prune"),
            {
                "action": "delete",
                "title": "Old",
                "wantedStatus": None,
                "extra": True,
                "needs": "prune",
            },
        ),
        (duplicate(), {"action": "delete", "duplicate": True, "inSync": False}),
        (
            unread(),
            {
                "id": None,
                "status": None,
                "inSync": False,
                "errorType": "BackendFetchFailedError",
                "error": str(UNREADABLE),
                "httpStatus": 503,
            },
        ),
    ],
)
def test_the_line_of_a_plan_says_what_is_to_be_done(
    change: Change, different: dict[str, object]
) -> None:
    line = change_line(change, applied=False)
    assert json.loads(line) == {**KEPT, **different}
    assert no_secrets(line)


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "done"), (LOST, "unknown"), (UNREADABLE, "failed")]
)
def test_the_line_of_an_apply_says_also_what_became_of_it(
    error: RestreamError | None, outcome: str
) -> None:
    line = json.loads(change_line(create(error=error), applied=True))
    assert (line["outcome"], line["inSync"]) == (outcome, outcome == "done")


def test_an_error_that_is_no_answer_has_no_http_status() -> None:
    line = json.loads(change_line(create(error=JournalError("is full")), applied=True))
    assert (line["errorType"], line["error"]) == ("JournalError", "is full")
    assert "httpStatus" not in line


def test_an_error_is_told_in_the_words_of_the_command_line() -> None:
    error = ConfigurationError("pass allow_http=True")
    assert json.loads(change_line(create(error=error), applied=True))["error"] == (
        "pass --allow-http"
    )


@pytest.mark.parametrize("url", ["***", ""])
def test_a_stream_url_that_the_service_hides_has_no_host(url: str) -> None:
    hidden: Restream = existing("Old", stream_url=url)
    assert json.loads(change_line(extra(existing=hidden), applied=False))["host"] is None
    assert json.loads(change_line(keep(existing=hidden), applied=False))["host"] == (
        "live.example.com"
    )


def test_a_line_is_one_line_of_plain_ascii() -> None:
    line = change_line(create(title="Café \x1b[2J\u2028\n"), applied=True)
    assert line.isascii()
    assert line.isprintable()
