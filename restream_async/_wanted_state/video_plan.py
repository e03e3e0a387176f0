"""Private: the plan of one video: what an apply would change. It only reads."""

from restream_async._retry.classification import Failure
from restream_async._wanted_state.current_state import VideoReader, unread
from restream_async._wanted_state.difference import difference
from restream_async._wanted_state.wanted_videos import WantedVideo
from restream_async.changes import Change  # noqa: TC001 - type hints can be read at run time
from restream_async.errors import RestreamError


class VideoPlan:
    """Lists one video, and compares it with the wanted restreams.

    Attributes:
        changes: the changes; empty until the video is read.

    """

    def __init__(
        self, video: WantedVideo, reader: VideoReader, *, rotate: bool, prune: bool
    ) -> None:
        """Send nothing yet; `rotate` and `prune` say what an apply might do."""
        self._video = video
        self._reader = reader
        self._rotate = rotate
        self._prune = prune
        self.changes: list[Change] = []

    async def run(self) -> None:
        """Read the video."""
        video = self._video
        listed = await self._reader.read(video)
        self.changes = (
            unread(video, listed.error)
            if isinstance(listed, Failure)
            else difference(
                video.wanted,
                listed,
                rotate=self._rotate,
                prune=self._prune,
                existence=self._reader.creator.existence,
            )
        )

    def finish(self, error: RestreamError) -> None:
        """Report what the run leaves undone, because of `error`."""
        self.changes = self.changes or unread(self._video, error)
