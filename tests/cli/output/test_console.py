import io
import os

import pytest
from rich.text import Text

from restream_async.cli.output.console import (
    console_on,
    is_lively,
    lasting,
    plural,
    safe,
    say,
    say_to_copy,
)
from tests.helpers.command_line import Terminal


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (10.4, "10 s"),
        (59.6, "1:00 min"),
        (200, "3:20 min"),
        (3605, "1:00:05 h"),
        (90000, "1 day, 1:00:00 h"),
    ],
)
def test_durations_are_told_as_people_do(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_numbers_agree_with_their_nouns() -> None:
    assert plural(1, "restream") == "1 restream"
    assert plural(0, "restream") == "0 restreams"
    assert plural(1000, "restream") == "1,000 restreams"


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    assert safe("a\x1b[2Jb\r\nc") == "a [2Jb c"


def test_text_is_not_taken_for_markup() -> None:
    stream = io.StringIO()
    say(console_on(stream), "[red]not red[/red] :smile: 12")
    assert stream.getvalue() == "[red]not red[/red] :smile: 12\n"


def test_a_pipe_gets_whole_lines_and_a_terminal_wrapped_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    long = " ".join(["word"] * 40)
    pipe, terminal = io.StringIO(), Terminal()
    say(console_on(pipe), long)
    say(console_on(terminal), Text(long))
    assert pipe.getvalue() == f"{long}\n"
    assert terminal.getvalue().count("\n") == 3


def test_what_a_number_counts_stays_in_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    say(console_on(terminal), "All:\n\n    1,234  by the first attempt, and no other\n")
    assert terminal.getvalue().splitlines() == [
        "All:",
        "",
        "    1,234  by the first",
        "           attempt, and no",
        "           other",
        "",
    ]


def test_a_command_to_type_is_never_broken_into_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    command = f"restream-async undo {'long/' * 10}name"
    pipe, narrow, short = io.StringIO(), Terminal(), Terminal()
    say_to_copy(console_on(pipe), "To delete it:", command)
    say_to_copy(console_on(narrow), "To delete it:", command)
    say_to_copy(console_on(short), "To delete it:", "restream-async undo a")
    assert pipe.getvalue() == f"To delete it: {command}\n"
    assert narrow.getvalue() == f"To delete it:\n{command}\n"
    assert short.getvalue() == "To delete it: restream-async undo a\n"


def test_only_a_real_terminal_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert is_lively(console_on(Terminal()))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not is_lively(console_on(io.StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not is_lively(console_on(Terminal()))


def test_a_reader_that_went_away_does_not_end_the_process() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = console_on(stream)
        say(console, "nobody hears this")
        say(console, "nor this")
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
