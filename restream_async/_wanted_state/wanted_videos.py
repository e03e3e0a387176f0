"""Private: the input of a plan or an apply: the wanted restreams, read to the end, by video.

It is read to its end before anything else happens, because a later item may want what would
otherwise look extra.
"""

import asyncio
import sys
from collections.abc import AsyncIterable, Iterable

import attrs

from restream_async._bulk.input import InputItem, InputReader
from restream_async._operations.existence import Key, key_of
from restream_async._util.parallel import run_in_tasks
from restream_async._util.redaction import redact
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import InvalidRestreamError
from restream_async.models import NewRestream


@attrs.frozen
class WantedVideo:
    """The wanted restreams of one video, at least one, in the order of the input."""

    wanted: tuple[NewRestream, ...]

    @property
    def video_id(self) -> str:
        """The video, as its first item spells it."""
        return self.wanted[0].video_id


class WantedInput(InputReader):
    """Groups what it reads by video. Equal restreams are wanted once."""

    def __init__(self, wanted: Iterable[NewRestream] | AsyncIterable[NewRestream]) -> None:
        """Prepare; nothing is read yet."""
        super().__init__(
            wanted,
            most_ahead=sys.maxsize,
            on_ready=lambda: None,
            on_unsent=lambda _: None,
        )
        # Two spellings of one id could be one video at the service, or two.
        self._videos: dict[str, dict[Key, NewRestream]] = {}

    async def read(self, tasks: set[asyncio.Task[None]]) -> None:
        """Read everything, in a task that is in `tasks` until it ends.

        Raises:
            InvalidRestreamError: two items contradict each other.
            Exception: an exception of the input.

        """
        [read_all] = self.tasks
        if not await run_in_tasks(read_all, 1, tasks):
            raise cancelled_by_others()
        self.raise_error()

    def take_videos(self) -> list[WantedVideo]:
        """Return the videos in the order in which the input names them, and forget them."""
        videos = [WantedVideo(tuple(each.values())) for each in self._videos.values()]
        self._videos.clear()
        return videos

    def _accept(self, item: InputItem) -> None:
        new = item.new
        video = self._videos.setdefault(new.video_id.casefold(), {})
        key = key_of(new)
        first = next(iter(video.values()), new)
        if first.video_id != new.video_id:
            raise InvalidRestreamError(
                "video_id",
                f"of item {item.index} differs only in case from that of an earlier item: write "
                "both alike, or put them into two inputs if they are two videos",
            )
        earlier = video.setdefault(key, new)
        for field in ("title", "status"):
            if getattr(earlier, field) != getattr(new, field):
                about = redact(f"video {new.video_id!r}, title {new.title!r}", new.secrets)
                raise InvalidRestreamError(
                    field,
                    f"of item {item.index} ({about}) contradicts an earlier item with the same "
                    "video, stream URL and stream key: keep one of them",
                )
