from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import NewRestream
from restream_async._bulk import repeats as repeats_module
from restream_async._bulk.repeats import Repeats
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async._journal.reading import JournalReader
from restream_async._operations.existence import key_of
from restream_async.cli.input.forecast import Forecast
from tests.helpers.in_memory_service import IDENTITY, new
from tests.helpers.strategies import quick

CREATED = "would be created"
REPEATS = "equal to another line, and would be reported as existing"
CHECKED = "would be checked at the service first: an earlier run was interrupted"
DONE = "done, according to the journal"
ENSURED = "would be checked at the service, and created if they do not exist (--ensure)"
TOLD_TO = "of these equal to another line (--repeats create)"
FORGOTTEN = (
    "of these equal to a line far above: a run without a journal recognises only the latest 15,000 "
    "restreams or more"
)


def forecast(
    items: list[NewRestream],
    earlier: JournalReader | None = None,
    *,
    repeats: Repeats = "existing",
    ensure: bool = False,
    has_journal: bool = True,
) -> dict[str, int]:
    """Return the counts above 0, by what they say."""
    found = Forecast(earlier, repeats=repeats, ensure=ensure, has_journal=has_journal)
    for item in items:
        found.add(item)
    return {what: count for count, what in found.counts() if count}


def named(names: str) -> list[NewRestream]:
    return [new(name) for name in names]


@given(st.text("abcdef", max_size=30))
@quick
def test_each_different_restream_is_created_once_and_the_rest_are_repeats(names: str) -> None:
    counts = forecast(named(names))
    assert counts.get(CREATED, 0) == len(set(names))
    assert counts.get(REPEATS, 0) == len(names) - len(set(names))


@given(st.text("abcdef", max_size=30))
@quick
def test_repeats_are_created_if_asked_for(names: str) -> None:
    counts = forecast(named(names), repeats="create")
    assert counts.get(CREATED, 0) == len(names)
    assert counts.get(TOLD_TO, 0) == len(names) - len(set(names))
    assert REPEATS not in counts


def test_spellings_of_one_url_are_repeats() -> None:
    same = NewRestream(
        video_id="v1",
        title="Another title",
        stream_url="RTMPS://Live.Example:443/app/",
        stream_key="stream-key-a",
        status=False,
    )
    assert forecast([new("a"), same]) == {CREATED: 1, REPEATS: 1}


def test_a_run_without_a_journal_forgets_and_the_forecast_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeats_module, "REMEMBERED", 2)
    items = named("aabcdefga")
    assert forecast(items, has_journal=False) == {CREATED: 8, FORGOTTEN: 1, REPEATS: 1}
    assert forecast(items) == {CREATED: 7, REPEATS: 2}
    assert forecast(items, has_journal=False, repeats="create") == {CREATED: 9, TOLD_TO: 2}
    assert forecast(items, has_journal=False, ensure=True) == {ENSURED: 7, REPEATS: 2}


async def fill(path: Path, **states: list[State]) -> None:
    async with Journal(path, IDENTITY) as journal:
        for name, occurrences in states.items():
            for number, state in enumerate(occurrences):
                fingerprint = journal.fingerprint(*key_of(new(name)))
                journal.end(fingerprint, number, state, restream_id=1)


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (State.INTENDED, CHECKED),
        (State.CREATED, DONE),
        (State.RECHECKED, CHECKED),
        (State.FOUND, DONE),
        (State.FAILED, CREATED),
        (State.UNDONE, CREATED),
    ],
)
async def test_what_the_journal_has_is_counted_by_what_a_run_would_do(
    tmp_path: Path, state: State, what: str
) -> None:
    path = tmp_path / "run.db"
    await fill(path, a=[state], z=[State.CREATED])
    with JournalReader(path, IDENTITY) as earlier:
        assert forecast(named("aa"), earlier) == {what: 1, REPEATS: 1}
        assert forecast(named("a"), earlier, ensure=True) == {ENSURED: 1}
        counts = forecast(named("aab"), earlier, repeats="create")
        rest = {CREATED: 2, TOLD_TO: 1}
        assert counts == ({**rest, CREATED: 3} if what == CREATED else {**rest, what: 1})


async def test_equal_lines_take_equal_creations_of_the_journal_in_their_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    await fill(path, a=[State.CREATED, State.INTENDED, State.CREATED])
    with JournalReader(path, IDENTITY) as earlier:
        assert forecast(named("a"), earlier) == {DONE: 1}
        assert forecast(named("aa"), earlier) == {DONE: 1, CHECKED: 1}
        assert forecast(named("aaaa"), earlier) == {DONE: 2, CHECKED: 1, REPEATS: 1}
        assert forecast(named("aaaa"), earlier, repeats="create") == {
            CREATED: 1,
            TOLD_TO: 1,
            DONE: 2,
            CHECKED: 1,
        }
