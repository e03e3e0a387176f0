"""Fixtures of the tests that have a journal: its folder, its path, its disk, and no thread left."""

import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.journal_disk import Disk, disk_of

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder of one's own in it is used


def journal_threads() -> list[threading.Thread]:
    return [item for item in threading.enumerate() if item.name.startswith("restream-journal")]


def threads_left() -> list[threading.Thread]:
    """Return the threads of journals, except those that are just ending."""
    threads = journal_threads()
    for thread in threads:
        thread.join(1)
    return [thread for thread in threads if thread.is_alive()]


@pytest.fixture(autouse=True)
def _nothing_is_left(  # pyright: ignore[reportUnusedFunction] - autouse
    caplog: pytest.LogCaptureFixture,
) -> Iterator[None]:
    """Whatever happens, no thread stays, and asyncio has nothing to complain about."""
    yield
    assert threads_left() == []
    complaints = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING and record.name == "asyncio"
    ]
    assert complaints == []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give an empty folder, in memory where that can be: how slow a disk is matters to no test."""
    if not IN_MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "run.db"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return disk_of(monkeypatch)
