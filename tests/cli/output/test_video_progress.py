import asyncio
import contextlib
import io

import pytest

from restream_async.cli.output.console import console_on
from restream_async.cli.output.video_progress import VideoProgress
from tests.helpers.command_line import Terminal, plain


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.cli.output.video_progress._EVERY", 0.0)


async def shown(stream: io.StringIO) -> str:
    done = iter(range(1000))
    async with VideoProgress(console_on(stream), lambda: f"Reading [{next(done)}]"):
        for _ in range(5):
            await asyncio.sleep(0)
    return stream.getvalue()


async def test_a_terminal_shows_the_text_and_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = await shown(Terminal())
    assert "Reading [0]" in plain(text)
    assert "Reading [2]" in plain(text)
    assert "\x1b[?25l" in text, "the cursor is hidden"
    assert text.rindex("\x1b[?25h") > text.rindex("Reading"), "and back in the end"
    assert text.rindex("\x1b[2K") > text.rindex("Reading"), "and the line is erased"


async def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await shown(io.StringIO()) == "", "not before ten seconds"
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.0)
    lines = (await shown(io.StringIO())).splitlines()
    assert lines[0].endswith("  Reading [0]")


async def test_the_line_is_removed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = VideoProgress(console_on(stream), lambda: "Reading")
    with contextlib.suppress(ZeroDivisionError):
        async with progress:
            await asyncio.sleep(0)
            raise ZeroDivisionError
    assert "\x1b[?25h" in stream.getvalue()


async def test_an_error_in_the_text_is_not_hidden() -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with VideoProgress(console_on(io.StringIO()), broken):
            await asyncio.sleep(0.01)
