import asyncio
import io
import re
import sys

import pytest

from restream_async._bulk.report import BulkCounts
from restream_async.cli.output.console import console_on
from restream_async.cli.output.log_format import end_log, start_log
from restream_async.cli.output.progress_display import (
    Display,
    LiveDisplay,
    LogDisplay,
    PlainDisplay,
    ProgressTicker,
    QuietDisplay,
    display_on,
)
from restream_async.cli.output.progress_rendering import line
from restream_async.cli.output.progress_state import ProgressMeter, Snapshot
from tests.cli.output.test_progress_rendering import END, MIDWAY
from tests.helpers.command_line import Terminal


class Show:
    """A display that records its calls."""

    every = 0.0

    def __init__(self) -> None:
        self.said: list[str] = []

    def open(self) -> None:
        self.said.append("open")

    def show(self, snapshot: Snapshot) -> None:
        self.said.append("end" if snapshot.over else "tick")

    def note(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.said.append("close")


def still_meter() -> ProgressMeter:
    return ProgressMeter(BulkCounts, lambda: MIDWAY.stats, total=5, now=lambda: 0.0)


async def test_a_ticker_shows_the_run_while_it_lasts_and_once_at_its_end() -> None:
    show = Show()
    async with ProgressTicker(show, still_meter()):
        for _ in range(5):
            await asyncio.sleep(0)
    assert show.said[:3] == ["open", "tick", "tick"]
    assert show.said[-2:] == ["end", "close"]
    assert show.said.count("end") == 1


async def test_the_display_is_closed_whatever_happens() -> None:
    show = Show()
    with pytest.raises(ZeroDivisionError):
        async with ProgressTicker(show, still_meter()):
            raise ZeroDivisionError
    assert show.said[-1] == "close"


async def test_what_goes_wrong_in_drawing_is_not_hidden() -> None:
    class Broken(Show):
        def show(self, snapshot: Snapshot) -> None:
            del snapshot
            raise ZeroDivisionError

    show = Broken()
    with pytest.raises(ZeroDivisionError):
        async with ProgressTicker(show, still_meter()):
            await asyncio.sleep(0.01)
    assert show.said[-1] == "close"


def run_through(display: Display) -> None:
    display.open()
    display.show(MIDWAY)
    display.note("By the way [red]")
    display.show(END)
    display.close()


def test_a_log_gets_a_line_every_ten_seconds_with_the_time_of_day() -> None:
    stream = io.StringIO()
    display = display_on(console_on(stream))
    assert isinstance(display, PlainDisplay)
    assert display.every == 10
    run_through(display)
    for said, told in zip(
        stream.getvalue().splitlines(), [line(MIDWAY), "By the way [red]", line(END)], strict=True
    ):
        assert re.fullmatch(r"[012]\d:[0-5]\d:[0-5]\d  (.*)", said)
        assert said.endswith(f"  {told}")


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (io.StringIO(), ["12:34:56  at 10", "12:34:56  at 20"]),
        (Terminal(), ["at 2", "at 4", *(f"at {second}" for second in range(6, 26, 2))]),
    ],
    ids=["log", "terminal"],
)
def test_lines_of_progress_come_every_ten_seconds_in_a_log_and_every_two_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, told: list[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    now = 0
    lines = PlainDisplay(console_on(stream), now=lambda: now, time_of_day=lambda: "12:34:56")
    for now in range(25):
        lines.offer(f"at {now}")
    assert stream.getvalue().splitlines() == told


def test_quiet_means_no_progress() -> None:
    stream = io.StringIO()
    display = display_on(console_on(stream), quiet=True)
    assert isinstance(display, QuietDisplay)
    run_through(display)
    assert stream.getvalue() == "By the way [red]\n"


def test_on_a_terminal_it_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    display = display_on(console_on(stream))
    assert isinstance(display, LiveDisplay)
    run_through(display)
    shown = stream.getvalue()
    assert "\x1b[?25l" in shown, "the cursor is hidden"
    assert shown.rindex("\x1b[?25h") > shown.rindex("took"), "and back in the end"
    assert "\x1b[1A" in shown, "it goes up to draw anew"
    assert "By the way [red]" in shown


def test_a_log_takes_the_place_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr("sys.stderr", stream)
        start_log("text")
        console = console_on(sys.stderr)
        display = display_on(console)
        assert isinstance(display, LogDisplay)
        assert display.every == 10
        run_through(display)
        assert isinstance(display_on(console, quiet=True), QuietDisplay)
        end_log()

    times, told = zip(
        *(said.split(" INFO ") for said in stream.getvalue().splitlines()), strict=True
    )
    assert told == (line(MIDWAY).strip(), "By the way [red]", line(END))
    assert all(len(time) == len("2026-11-27T20:00:00Z") for time in times)
