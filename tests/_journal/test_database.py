from pathlib import Path

import pytest

from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import files_of
from tests.helpers.journal_opening import keep


async def test_a_journal_is_on_the_disk_whatever_it_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    await keep(Path(":memory:"))
    async with Journal(":memory:", IDENTITY) as journal:
        assert await journal.count(State.CREATED) == 1


async def test_a_journal_that_is_not_open_raises_an_error(path: Path) -> None:
    journal = Journal(path, IDENTITY)
    with pytest.raises(RuntimeError, match="the journal is not open"):
        await journal.begin("a")
    assert files_of(path) == []
