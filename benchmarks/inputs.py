"""The restreams that benchmarks create."""

import itertools
from collections.abc import Iterator
from typing import Final

from restream_async import NewRestream

_DESTINATIONS: Final = (
    ("YouTube", "rtmps://a.rtmps.youtube.com:443/live2"),
    ("Twitch", "rtmp://live.twitch.tv/app"),
    ("Facebook", "rtmps://live-api-s.facebook.com:443/rtmp"),
    ("Own server", "rtmp://media.example.com/live"),
)


def restreams(count: int | None = None) -> Iterator[NewRestream]:
    """Yield different restreams: one video after the other, each to four destinations.

    Without a count, it never ends.
    """
    for number in itertools.count() if count is None else range(count):
        video, destination = divmod(number, len(_DESTINATIONS))
        title, url = _DESTINATIONS[destination]
        yield NewRestream(
            # Gcore numbers its streams, so a number must follow the letter.
            video_id=f"v{video}",
            title=title,
            stream_url=url,
            stream_key=f"key-{number:07d}",
            status=True,
        )
