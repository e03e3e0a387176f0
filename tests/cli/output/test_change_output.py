import asyncio
import io
import json
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

from restream_async.changes import Change
from restream_async.cli.output.change_output import (
    ChangeOutput,
    Screen,
    TableOutput,
    change_output,
)
from restream_async.cli.output.console import console_on
from tests.helpers.changes import NOT_SENT, UNREADABLE, create, keep
from tests.helpers.command_line import Terminal


async def add_all(output: ChangeOutput, changes: Iterable[Change]) -> None:
    for change in changes:
        assert await output.add(change)
    output.end()


async def table_of(changes: Iterable[Change], *, applied: bool = False) -> list[str]:
    stream = io.StringIO()
    await add_all(TableOutput(console_on(stream), applied=applied), changes)
    return stream.getvalue().splitlines()


async def test_a_table_ends_where_nobody_reads_on_and_says_how_many_more_there_are() -> None:
    changes = [keep(), *(create(video_id=f"v{number}") for number in range(1302))]
    lines = await table_of(changes)
    assert len(lines) == 2 * 300 + 1
    assert lines[-1] == "… and 1,002 more changes. To have all of them, add --json."


async def test_failures_are_shown_also_after_many_changes() -> None:
    done = [create(video_id="v1")] * 300
    failed = [create(video_id="v2", error=UNREADABLE)] * 102
    not_sent = [create(video_id="v3", error=NOT_SENT)]
    lines = await table_of([*done, *failed, *not_sent], applied=True)
    assert sum("✗" in line for line in lines) == 100
    assert lines[-1] == "… and 2 more changes. To have all of them, add --json."


async def test_nothing_to_do_has_no_table() -> None:
    assert await table_of([keep()]) == []


async def test_an_apply_shows_each_video_when_the_next_one_begins() -> None:
    stream = io.StringIO()
    output = TableOutput(console_on(stream), applied=True)
    await output.add(create())
    await output.add(create())
    assert stream.getvalue() == ""
    await output.add(create(video_id="v2"))
    assert stream.getvalue().splitlines()[0] == "v1"
    assert "v2" not in stream.getvalue()
    output.end()
    assert stream.getvalue().count("v1") == stream.getvalue().count("v2") == 1


def screen(out: io.StringIO | None = None) -> Screen:
    return Screen(out=console_on(out or io.StringIO()), err=console_on(io.StringIO()))


@contextmanager
def standard_output(file: int | Path) -> Generator[None]:
    """Make a file or a descriptor the standard output."""
    with pytest.MonkeyPatch.context() as patch, open(file, "w") as stream:  # noqa: PTH123 - it may be a descriptor
        patch.setattr("sys.stdout", stream)
        yield


async def test_json_has_all_changes_each_on_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with standard_output(path):
        async with change_output(screen(), as_json=True, applied=True) as output:
            await add_all(output, [keep(), create()])
    assert output.problem == ""
    lines = path.read_text().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["keep", "create"]


async def test_json_on_a_terminal_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    async with change_output(screen(stream), as_json=True, applied=False) as output:
        await add_all(output, [create(title="long " * 50 + "title")])
        output.abandon()
    assert output.problem == ""
    assert json.loads(stream.getvalue())["action"] == "create"


async def test_a_reader_that_goes_away_is_told_with_what_is_lost() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    written = 0
    with standard_output(writing):
        async with change_output(screen(), as_json=True, applied=True) as output:
            while await output.add(create()):
                written += 1
    assert output.problem == (
        f"{written + 1:,} changes could not be written to standard output: broken pipe, so the run "
        "was stopped"
    )


async def test_an_output_that_nobody_reads_can_be_abandoned() -> None:
    reading, writing = os.pipe()
    with standard_output(writing):
        async with (
            asyncio.timeout(5),
            change_output(screen(), as_json=True, applied=True) as output,
        ):
            for _ in range(900):
                await output.add(create())
            output.abandon()
    os.close(reading)


async def test_without_json_a_table_is_printed_on_standard_output() -> None:
    stream = io.StringIO()
    async with change_output(screen(stream), as_json=False, applied=False) as output:
        await add_all(output, [create()])
        output.abandon()
    assert "+ create" in stream.getvalue()


def test_progress_and_results_share_a_console_if_they_share_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    on_terminal, in_file = screen(Terminal()), screen()
    assert on_terminal.progress is on_terminal.out
    assert in_file.progress is in_file.err
