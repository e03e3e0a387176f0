"""Destinations: the streams that many live videos are pushed to, listed in one file.

    [[destinations]]
    title = "YouTube: {title}"            # {videoId}, and columns of the list of videos
    stream_url = "rtmps://a.rtmps.youtube.com/live2"
    stream_key_env = "YOUTUBE_KEY"        # or stream_key_file, or stream_key_column
    status = true                         # the default

The file is TOML, or JSON if its name ends in `.json`. It holds no stream keys:

- `stream_key_env` names an environment variable. It begins with fixed text, so that the value of a
  column cannot name any variable.
- `stream_key_file` names a file, beside this one unless it is an absolute path. Each file is read
  once.
- `stream_key_column` names a column of the list of videos.

Titles, stream URLs, and the names of variables and files may hold placeholders such as `{channel}`:
columns of the list of videos, or fields of an event of the platform.
"""

from restream_async.destinations.destination import Destination, restreams_of
from restream_async.destinations.file import read_destinations
from restream_async.destinations.stream_keys import KeyFromColumn, KeyFromFile, KeyFromVariable

__all__ = [
    "Destination",
    "KeyFromColumn",
    "KeyFromFile",
    "KeyFromVariable",
    "read_destinations",
    "restreams_of",
]
