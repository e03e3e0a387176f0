import io
import os
from pathlib import Path

import pytest
from rich.text import Text

from restream_async.cli.errors import CliError
from restream_async.cli.output.console import (
    can_redraw,
    console_on,
    format_duration,
    plural,
    result_console,
    safe,
    say,
    say_copyable,
)
from restream_async.cli.standard_streams import flush_streams
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
    assert format_duration(seconds) == words


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
    say_copyable(console_on(pipe), "To delete it:", command)
    say_copyable(console_on(narrow), "To delete it:", command)
    say_copyable(console_on(short), "To delete it:", "restream-async undo a")
    assert pipe.getvalue() == f"To delete it: {command}\n"
    assert narrow.getvalue() == f"To delete it:\n{command}\n"
    assert short.getvalue() == "To delete it: restream-async undo a\n"


def test_only_a_real_terminal_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert can_redraw(console_on(Terminal()))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not can_redraw(console_on(io.StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not can_redraw(console_on(Terminal()))


def test_a_reader_that_went_away_does_not_end_the_process() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = console_on(stream)
        say(console, "nobody hears this")
        say(console, "nor this")
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


FULL = Path("/dev/full")


def test_writing_to_standard_error_cannot_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        console = console_on(stream)
        assert not console.file.isatty()
        say(console, "no room for this")
        flush_streams()


def test_a_full_standard_output_is_told_with_what_was_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FULL.open("w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        for done, said in (("it was done", "it was done, but standard"), ("", "standard")):
            with pytest.raises(CliError, match=f"^{said} output could not be written: no space"):
                print_result(done)
        flush_streams()


def print_result(done: str) -> None:
    with result_console(done) as console:
        say(console, "the result")
