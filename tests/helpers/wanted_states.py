"""Plans and applies over a service in memory, and what they leave behind."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable
from pathlib import Path

from restream_async import Change, NewRestream, Restream
from restream_async._bulk.journal_adapter import JournalAdapter
from restream_async._journal.journal import Journal
from restream_async._operations.draining import CallsInProgress
from restream_async._operations.existence import Key, key_of
from restream_async._operations.listing import Listing
from restream_async._operations.set_status import StatusSetter
from restream_async._wanted_state.run import WantedStateRun
from restream_async._wanted_state.video_apply import ApplyOptions, VideoApply
from restream_async._wanted_state.video_plan import VideoPlan
from tests.helpers.in_memory_service import IDENTITY, InMemoryClient

URL = "rtmps://live.example/app"
OTHER_URL = "rtmp://other.example/live"

CHANGING = ("POST", "PUT", "DELETE")


def want(
    key: str = "a",
    *,
    video: str = "v1",
    title: str = "YouTube",
    url: str = URL,
    status: bool = True,
) -> NewRestream:
    return NewRestream(
        video_id=video, title=title, stream_url=url, stream_key=f"stream-key-{key}", status=status
    )


def have(restream_id: int | str, key: str = "a", **changes: object) -> Restream:
    """Return what the service has, as `want` says it."""
    wanted = want(key)
    fields: dict[str, object] = {
        "id": restream_id,
        "video_id": wanted.video_id,
        "title": wanted.title,
        "stream_url": wanted.stream_url,
        "stream_key": wanted.stream_key,
        "status": wanted.status,
        **changes,
    }
    return Restream(**fields)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def plan_of(
    client: InMemoryClient,
    wanted: Iterable[NewRestream] | AsyncIterable[NewRestream],
    *,
    rotate: bool = False,
    prune: bool = False,
    calls: CallsInProgress | None = None,
) -> WantedStateRun:
    return WantedStateRun(
        client.executor,
        client.api,
        client.creator,
        wanted,
        lambda video, reader: VideoPlan(video, reader, rotate=rotate, prune=prune),
        name="plan",
        calls=calls or CallsInProgress(client.executor),
    )


def statuses_of(client: InMemoryClient) -> StatusSetter:
    listing = Listing(client.executor, client.api, uncached=True)
    return StatusSetter(client.executor, client.api, listing)


def apply_of(
    client: InMemoryClient,
    wanted: Iterable[NewRestream] | AsyncIterable[NewRestream],
    *,
    rotate: bool = True,
    prune: bool = True,
    journal: Path | None = None,
    calls: CallsInProgress | None = None,
    statuses: StatusSetter | None = None,
) -> WantedStateRun:
    opened = Journal(journal, IDENTITY) if journal is not None else None
    options = ApplyOptions(
        api=client.api,
        statuses=statuses or statuses_of(client),
        rotate=rotate,
        prune=prune,
        journal=JournalAdapter(opened, "existing", ensure=True) if opened is not None else None,
    )
    return WantedStateRun(
        client.executor,
        client.api,
        client.creator,
        wanted,
        lambda video, reader: VideoApply(video, reader, options),
        name="apply",
        calls=calls or CallsInProgress(client.executor),
        journal=opened,
    )


async def changes_of(run: WantedStateRun) -> list[Change]:
    async with run:
        return [change async for change in run]


def short(changes: Iterable[Change]) -> list[str]:
    """Return each change in a few words: the action, the ids, and what is special."""
    return [_short(change) for change in changes]


def _short(change: Change) -> str:
    words = [change.action.value]
    if change.wanted is not None:
        words.append(change.wanted.stream_key.removeprefix("stream-key-"))
    if change.existing is not None:
        words.append(f"#{change.existing.id}")
    words += [word for word in ("duplicate", "unclear") if getattr(change, f"is_{word}")]
    if change.needs:
        words.append(f"needs {change.needs}")
    if change.error is not None:
        words.append(type(change.error).__name__)
    return " ".join(words)


def state_of(restreams: Iterable[Restream]) -> Counter[tuple[Key, bool]]:
    """Return what exists: keys and statuses."""
    return Counter((key_of(each), each.status) for each in restreams)


def wanted_state(wanted: Iterable[NewRestream]) -> Counter[tuple[Key, bool]]:
    return Counter({(key_of(each), each.status) for each in wanted})
