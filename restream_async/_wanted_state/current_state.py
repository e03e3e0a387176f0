"""Private: reads a video for a plan or an apply, and tells the run what its failures mean."""

from collections.abc import Callable

import attrs

from restream_async._operations.create import Creator
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Stop
from restream_async._retry.executor import RequestExecutor
from restream_async._wanted_state.wanted_videos import WantedVideo
from restream_async.changes import Action, Change
from restream_async.errors import NotFoundError, RestreamError
from restream_async.models import Restream


@attrs.frozen(kw_only=True)
class VideoReader:
    """Reads the restreams of videos.

    Attributes:
        executor: sends the requests.
        creator: knows what the service has shown so far.
        stop: ends all waits of the run when it is requested.
        on_success: called when the service has answered.
        on_failure: called with an error; all videos of the run may share it.

    """

    executor: RequestExecutor
    creator: Creator
    stop: Stop
    on_success: Callable[[], None]
    on_failure: Callable[[RestreamError], None]

    async def read(self, video: WantedVideo) -> list[Restream] | Failure:
        """List the restreams of a video past any cache; a video that is not found has none."""
        deadline = self.executor.begin_patient_call(self.stop)
        listed = await self.creator.listing.read(video.video_id, deadline, about=video.wanted[0])
        if isinstance(listed, Failure):
            if isinstance(listed.error, NotFoundError):
                return []
            self.on_failure(listed.error)
            return listed
        self.on_success()
        self.creator.existence.learn(video.wanted, listed)
        return listed


def unread(video: WantedVideo, error: RestreamError) -> list[Change]:
    """Return the changes of a video that could not be read: nothing is known of it."""
    return [
        Change(
            action=Action.KEEP,
            video_id=new.video_id,
            title=new.title,
            wanted=new,
            error=error,
        )
        for new in video.wanted
    ]
