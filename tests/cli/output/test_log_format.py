import asyncio
import errno
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from restream_async import ConfigurationError
from restream_async.cli.output.console import console_on, say, say_error
from restream_async.cli.output.log_format import (
    LogFormat,
    end_log,
    log_bug,
    logs_all_lines,
    start_log,
)
from tests.helpers.command_line import API_KEY

SECONDS = r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d"
_log = logging.getLogger("restream_async.some.room")


@pytest.fixture(autouse=True)
def _end() -> Iterator[None]:
    yield
    end_log()


def records(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def fail(stream_key: str) -> None:
    raise ValueError(stream_key)


def log_failure() -> None:
    try:
        try:
            fail(API_KEY)
        except ValueError:
            raise ExceptionGroup(
                API_KEY, [ConfigurationError("base_url is missing"), KeyError(API_KEY)]
            ) from None
    except ExceptionGroup:
        _log.exception("message %d failed", 7)


def test_a_json_line_has_time_level_logger_message_and_the_extra_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_log("json")
    _log.info("sent %s again", "it", extra={"restream_attempt": 2})

    [record] = records(capsys.readouterr().err)
    assert re.fullmatch(rf"{SECONDS}\.\d\d\dZ", record.pop("time"))
    assert record == {
        "level": "INFO",
        "logger": "restream_async.some.room",
        "message": "sent it again",
        "restream_attempt": 2,
    }


def test_a_text_line_has_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    start_log("text")
    _log.warning("sent %s again", "it", extra={"restream_attempt": 2})

    said = capsys.readouterr().err
    assert re.fullmatch(rf"{SECONDS}Z WARNING sent it again\n", said)


def test_what_is_printed_on_standard_error_becomes_log_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    start_log("json")
    assert logs_all_lines()
    say(console_on(sys.stderr), "two\n\nlines")
    say_error("the file cannot be read")
    print("no end yet", end="", file=sys.stderr, flush=True)  # noqa: T201 - is caught

    assert [(each["level"], each["message"]) for each in records(capsys.readouterr().err)] == [
        ("INFO", "two"),
        ("INFO", "lines"),
        ("ERROR", "the file cannot be read"),
    ]


def test_with_a_default_only_the_log_is_formatted(capsys: pytest.CaptureFixture[str]) -> None:
    start_log(None, default="text")
    assert not logs_all_lines()
    say_error("the file cannot be read")
    _log.info("ready")

    said = capsys.readouterr().err
    first, second = said.splitlines()
    assert first == "Error: the file cannot be read"
    assert second.endswith("Z INFO ready")


def test_without_a_format_there_is_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    start_log(None)
    _log.info("ready")

    assert not log_bug()
    said = capsys.readouterr().err
    assert said == ""


def test_the_end_gives_all_back() -> None:
    root, stderr = logging.getLogger(), sys.stderr
    before = root.level, [*root.handlers]
    start_log("json")
    end_log()

    assert (root.level, root.handlers) == before
    assert sys.stderr is stderr


def test_a_traceback_quotes_only_the_errors_of_the_library(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_log("json")
    log_failure()

    said = capsys.readouterr().err
    [record] = records(said)
    assert record["message"] == "message 7 failed"
    assert "in log_failure" in record["traceback"]
    assert record["traceback"].endswith(
        "ExceptionGroup\nConfigurationError: base_url is missing\nKeyError"
    )
    assert API_KEY not in said


def test_a_traceback_has_the_causes_too_and_is_as_safe_in_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_log("text")
    try:
        try:
            fail(API_KEY)
        except ValueError as error:
            raise LookupError(API_KEY) from error
    except LookupError:
        assert log_bug()

    said = capsys.readouterr().err
    assert " CRITICAL this is a bug\n" in said
    assert said.index("in fail") < said.index("\nValueError\n\n") < said.index("\nLookupError\n")
    assert API_KEY not in said


def test_what_was_formatted_for_another_handler_is_not_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    other = logging.StreamHandler(io.StringIO())
    root.addHandler(other)
    start_log("text")
    log_failure()
    root.removeHandler(other)

    said = capsys.readouterr().err
    assert "message 7 failed" in said
    assert API_KEY not in said


def test_exc_info_without_an_exception_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    start_log("text")
    _log.error("no exception", exc_info=True)

    said = capsys.readouterr().err
    assert said.endswith("ERROR no exception\n")


@pytest.mark.parametrize("format_", ["text", "json"])
def test_what_asyncio_says_of_tasks_is_cut(
    format_: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log(format_)

    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError(API_KEY)}
        )
        asyncio.get_running_loop().call_exception_handler(
            {"message": "no exception", "task": API_KEY}
        )

    asyncio.run(main())

    said = capsys.readouterr().err
    assert "Task exception was never retrieved" in said
    assert "ValueError" in said
    assert API_KEY not in said


def test_a_full_disk_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            del text
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", Full())
        start_log("json")
        _log.info("ready")
        say_error("the file cannot be read")
        end_log()
