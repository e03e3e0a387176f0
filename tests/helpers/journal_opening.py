"""Opens journals that are as a test needs them, or that are refused."""

import traceback
from pathlib import Path

import pytest

from restream_async._journal.entries import Identity, State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_fixtures import threads_left


async def keep(path: Path, number: int = 1) -> None:
    async with Journal(path, IDENTITY) as journal:
        for item in range(number):
            journal.end(journal.fingerprint(str(item)), 0, State.CREATED, restream_id=item)


async def refusal(path: Path, identity: Identity = IDENTITY) -> str:
    with pytest.raises(JournalError) as caught:
        await Journal(path, identity).__aenter__()
    assert "During handling" not in "".join(traceback.format_exception(caught.value))
    assert threads_left() == []
    return str(caught.value)
