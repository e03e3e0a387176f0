"""The store of the sandbox: its restreams."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from restream_async.sandbox.requests import CreateBody

Ids = Literal["int", "str"]


@attrs.frozen(kw_only=True)
class Stored:
    """A restream in the sandbox. Its repr shows no secrets."""

    id: int | str
    video_id: str
    title: str
    stream_url: str = attrs.field(repr=False)
    stream_key: str = attrs.field(repr=False)
    status: bool


class RestreamStore:
    """All restreams, in order of creation."""

    def __init__(self, ids: Ids) -> None:
        """Start empty; `ids` says whether ids are integers or strings."""
        self._ids = ids
        self._numbers = count(1)
        self._by_id: dict[str, Stored] = {}
        self._by_video: dict[str, dict[str, None]] = {}

    def add(self, body: CreateBody) -> Stored:
        """Add a restream; the same one twice is two restreams, as in the service."""
        number = next(self._numbers)
        stored = Stored(
            id=number if self._ids == "int" else str(number),
            video_id=body.video_id,
            title=body.title,
            stream_url=body.stream_url,
            stream_key=body.stream_key,
            status=body.status,
        )
        self._by_id[str(number)] = stored
        self._by_video.setdefault(body.video_id, {})[str(number)] = None
        return stored

    def of_video(self, video_id: str) -> list[Stored]:
        """Return the restreams of one video, in order of creation."""
        return [self._by_id[key] for key in self._by_video.get(video_id, ())]

    def get(self, restream_id: str) -> Stored | None:
        """Return a restream, or None if it does not exist."""
        return self._by_id.get(restream_id)

    def toggle(self, stored: Stored) -> Stored:
        """Switch a restream on or off."""
        toggled = attrs.evolve(stored, status=not stored.status)
        self._by_id[str(stored.id)] = toggled
        return toggled

    def delete(self, stored: Stored) -> None:
        """Remove a restream."""
        del self._by_id[str(stored.id)]
        del self._by_video[stored.video_id][str(stored.id)]

    def videos(self, search: str) -> list[str]:
        """Return the ids, with `search` in them in any case, of videos that had a restream."""
        wanted = search.casefold()
        return [video_id for video_id in self._by_video if wanted in video_id.casefold()]

    def all(self) -> tuple[Stored, ...]:
        """Return every restream that exists now, in order of creation."""
        return tuple(self._by_id.values())

    def duplicates(self) -> tuple[tuple[Stored, ...], ...]:
        """Return the groups of restreams that share video, stream URL and stream key."""
        groups: dict[tuple[str, str, str], list[Stored]] = {}
        for stored in self._by_id.values():
            key = (stored.video_id, stored.stream_url, stored.stream_key)
            groups.setdefault(key, []).append(stored)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)

    def __len__(self) -> int:
        """Return how many restreams exist now."""
        return len(self._by_id)
