"""Inputs of bulk runs that count how far they were read, and servers that answer by video."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from tests.helpers.samples import answer, created, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from restream_async import BulkReport, NewRestream
    from tests.helpers.raw_server import Peer, Seen


# Not done, and to be sent again; unlike a 429 it does not slow down the whole client.
LATER: Final = answer(b"", "425 Too Early")

NO: Final = answer(b"no", "400 Bad Request")


class CountingInput:
    """An input that counts how far it was read."""

    def __init__(self, count: int | None = None) -> None:
        self.pulled = 0
        self.closed = False
        self._count = count

    def __iter__(self) -> Iterator[NewRestream]:
        numbers = itertools.count() if self._count is None else range(self._count)
        try:
            for number in numbers:
                self.pulled += 1
                yield new_restream(f"v{number}")
        finally:
            self.closed = True

    async def items(self) -> AsyncIterator[NewRestream]:
        for new in self:
            yield new

    def input(self, kind: str) -> Any:  # noqa: ANN401 - sync or async
        return iter(self) if kind == "sync" else self.items()


KINDS: Final = ["sync", "async"]


def by_video(**steps: bytes | list[bytes]) -> Any:  # noqa: ANN401 - a step
    """Answer each video as it is told; others are created. The last answer repeats."""
    seen: dict[str, int] = {}

    async def act(peer: Peer, request: Seen) -> None:
        body = json.loads(request.body)
        video = body["videoId"]
        script = steps.get(video, created(new_restream(video)))
        if isinstance(script, list):
            seen[video] = seen.get(video, 0) + 1
            script = script[min(seen[video], len(script)) - 1]
        await peer.write(script)

    return act


async def read_until_it_pauses(source: CountingInput) -> int:
    """Wait until nothing is read any more, and return how much was."""
    before = -1
    while before != source.pulled:
        before = source.pulled
        await asyncio.sleep(0.01)
    return before


def origin_values(report: BulkReport) -> list[str]:
    return [outcome.origin.value for outcome in report.created]
