"""Plans and applies of a real client over real HTTP, against the sandbox and its faults."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import pytest

from restream_async import Action, Change, NewRestream, RestreamClient
from restream_async.sandbox import Faults, Sandbox
from restream_async.sandbox.restream_store import RestreamStore, Stored
from tests.helpers.journal_clients import late_commit_client, losses
from tests.helpers.wanted_states import OTHER_URL, URL, changes_of

VIDEOS = 50
FAULTS = Faults(
    before=losses(0.05),
    after=losses(0.08),
    listing=losses(0.05),
    other=losses(0.08),
    max_faults=2,
    retry_after=None,
)


def destinations(
    *, twitch_key: str = "one", own_status: bool = True, extra: bool = False
) -> Iterator[NewRestream]:
    """Yield three or four destinations for each video, one destination after the other."""
    kinds = [
        ("YouTube", URL, "youtube", True),
        ("Twitch", OTHER_URL, f"twitch-{twitch_key}", True),
        ("Own server", "rtmp://own.example/app", "own", own_status),
        *([("Old", "rtmp://old.example/app", "old", True)] if extra else []),
    ]
    for title, url, key, status in kinds:
        for number in range(VIDEOS):
            yield NewRestream(
                video_id=f"v{number}",
                title=title,
                stream_url=url,
                stream_key=f"SECRET-{key}-{number}",
                status=status,
            )


def exists(sandbox: Sandbox) -> Counter[NewRestream]:
    return Counter(
        NewRestream(
            video_id=each.video_id,
            title=each.title,
            stream_url=each.stream_url,
            stream_key=each.stream_key,
            status=each.status,
        )
        for each in sandbox.stored
    )


def counted(changes: list[Change]) -> Counter[str]:
    assert not [change.error for change in changes if change.error is not None]
    return Counter(change.action.value for change in changes)


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the destinations that ever had no restream after a deletion."""
    found: list[tuple[str, str]] = []
    original = RestreamStore.delete

    def delete(store: RestreamStore, stored: Stored) -> None:
        before = {(each.video_id, each.title) for each in store.all() if each.title != "Old"}
        original(store, stored)
        found.extend(before - {(each.video_id, each.title) for each in store.all()})

    monkeypatch.setattr(RestreamStore, "delete", delete)
    return found


class TestAnEvent:
    """Three destinations for fifty videos: created, changed, and in sync each time."""

    async def test_each_state_is_reached_under_faults(
        self, path: Path, gaps: list[tuple[str, str]]
    ) -> None:
        async with (
            Sandbox(faults=FAULTS, seed=1) as sandbox,
            late_commit_client(sandbox, attempts=6) as client,
        ):
            await self.reach(client, sandbox, [*destinations(extra=True)], path)
            changed = [*destinations(twitch_key="two", own_status=False)]
            changes = await self.reach(client, sandbox, changed, path)
            assert counted(changes) == {
                "keep": VIDEOS,
                "rotate": VIDEOS,
                "disable": VIDEOS,
                "delete": VIDEOS,
            }
        assert not gaps

    @staticmethod
    async def reach(
        client: RestreamClient, sandbox: Sandbox, wanted: list[NewRestream], path: Path
    ) -> list[Change]:
        """Apply, and check that it is done and that nothing is left to do."""
        run = client.apply(wanted, rotate=True, prune=True, journal=path)
        changes = await changes_of(run)
        assert exists(sandbox) == Counter(wanted)
        before = sandbox.counts
        plan = await changes_of(client.plan(wanted, rotate=True, prune=True))
        assert {change.action for change in plan} == {Action.KEEP}
        assert all(change.is_in_sync for change in plan)
        again = await changes_of(client.apply(wanted, rotate=True, prune=True, journal=path))
        assert counted(again) == {"keep": len(wanted)}
        after = sandbox.counts
        assert (after.posts, after.toggles, after.deletes) == (
            before.posts,
            before.toggles,
            before.deletes,
        )
        return changes


async def test_a_plan_lists_each_video_once_and_an_apply_at_most_twice(path: Path) -> None:
    wanted = [*destinations(extra=True)]
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await changes_of(client.plan(wanted))
        assert sandbox.counts.lists == VIDEOS
        await changes_of(client.apply(wanted, journal=path))
        assert sandbox.counts.lists == 2 * VIDEOS
        changed = [*destinations(twitch_key="two", own_status=False)]
        await changes_of(client.apply(changed, rotate=True, prune=True, journal=path))
        assert sandbox.counts.lists == 4 * VIDEOS
        assert exists(sandbox) == Counter(changed)


async def test_any_state_of_many_videos_becomes_the_wanted_one_under_faults() -> None:
    chance = random.Random(3)  # noqa: S311 - states, not secrets
    wanted: list[NewRestream] = []
    existing: list[NewRestream] = []
    for number in range(60):
        kinds = [
            NewRestream(
                video_id=f"v{number}",
                title=title,
                stream_url=url,
                stream_key=f"SECRET-{key}-{number}",
                status=True,
            )
            for title in ("A", "B")
            for url in (URL, OTHER_URL)
            for key in ("old", "new")
        ]
        keyed = {(new.stream_url, new.stream_key): new for new in chance.choices(kinds, k=4)}
        wanted += [attrs.evolve(new, status=chance.random() < 0.5) for new in keyed.values()]
        existing += [*chance.choices(kinds, k=chance.randrange(6))]
    async with Sandbox(seed=3) as sandbox, late_commit_client(sandbox, attempts=6) as client:
        await client.create_all(existing, repeats="create")
        sandbox.faults = FAULTS
        changes = await changes_of(client.apply(wanted, rotate=True, prune=True))
        assert not [change.error for change in changes if change.error is not None]
        found = Counter(attrs.evolve(new, title="-") for new in exists(sandbox).elements())
        assert found == Counter(attrs.evolve(new, title="-") for new in wanted)


async def test_no_change_shows_a_secret() -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await changes_of(client.apply([*destinations(extra=True)][::10]))
        changes = await changes_of(client.plan([*destinations(twitch_key="two")][::10]))
    assert "SECRET" not in repr(changes)
    assert "SECRET" not in "".join(str(change) for change in changes)


async def test_an_async_input_is_read_to_its_end_first() -> None:
    async def items() -> AsyncIterator[NewRestream]:
        for new in destinations():
            yield new

    async with (
        Sandbox() as sandbox,
        late_commit_client(sandbox) as client,
        client.plan(items()) as plan,
    ):
        assert plan.videos == VIDEOS
        assert len([change async for change in plan]) == 3 * VIDEOS
