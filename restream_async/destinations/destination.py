"""Private: a destination, and the restreams of a live video to several destinations."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from restream_async._field_checks import CHECKS
from restream_async._operations.existence import Key, key_of
from restream_async.destinations.placeholders import VIDEO_ID, column_text, filled, names_in
from restream_async.destinations.stream_keys import StreamKeySource
from restream_async.errors import InvalidRestreamError
from restream_async.models import NewRestream

NO_COLUMNS: Final[Mapping[str, object]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Destination:
    """A stream that live videos are pushed to.

    `title` and `stream_url` may hold placeholders: `{videoId}`, and the names of columns of the
    list of videos.

    Attributes:
        title: the title of each restream. A column that is missing or empty leaves nothing in its
            place, because a title is for people. A title without any text becomes the video id.
        stream_url: the URL to push to. Every column in it needs a text.
        stream_key: the secret of the destination, or where it comes from.
        status: whether a restream starts active.

    """

    title: str
    stream_url: str = attrs.field(repr=False)
    stream_key: str | StreamKeySource = attrs.field(repr=False)
    status: bool = True

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it uses, without `videoId`."""
        key = self.stream_key
        key_columns = frozenset[str]() if isinstance(key, str) else key.columns
        return (names_in(self.title) | names_in(self.stream_url) | key_columns) - {VIDEO_ID}

    def restream(self, video_id: str, columns: Mapping[str, object] = NO_COLUMNS) -> NewRestream:
        """Return the restream of a live video.

        Args:
            video_id: public identifier of the live video.
            columns: texts and whole numbers by their names; other values count as missing.

        Raises:
            InvalidRestreamError: a value is not valid, a column has no text, or there is no stream
                key.

        """

        def text_of(name: str) -> str:
            return video_id if name == VIDEO_ID else column_text(columns, name)

        def required(name: str) -> str:
            text = text_of(name)
            if not text:
                raise InvalidRestreamError("stream_url", f"needs a text in the column {name}")
            return text

        key = self.stream_key
        return NewRestream(
            video_id=video_id,
            title=_title(self.title, text_of) or video_id,
            stream_url=filled(self.stream_url, required),
            stream_key=key if isinstance(key, str) else key.key(text_of),
            status=self.status,
        )


def restreams_of(
    video_id: str,
    destinations: Sequence[Destination],
    columns: Mapping[str, object] = NO_COLUMNS,
) -> list[NewRestream]:
    """Return the restreams of a live video, one for each destination, in their order.

    Args:
        video_id: public identifier of the live video.
        destinations: where the video is pushed to.
        columns: as for `Destination.restream`.

    Raises:
        InvalidRestreamError: the id is not valid; or a destination has a problem as in
            `Destination.restream`, or the same stream URL and stream key as an earlier one. The
            text names all such destinations by their numbers, from 1.

    """
    if problem := CHECKS["video_id"](video_id):
        raise InvalidRestreamError("video_id", problem)
    found: list[NewRestream] = []
    numbers: dict[Key, int] = {}
    problems: list[tuple[str, str]] = []
    for number, destination in enumerate(destinations, 1):
        try:
            new = destination.restream(video_id, columns)
        except InvalidRestreamError as error:
            problems += [(f"destination {number}: {name}", why) for name, why in error.problems]
            continue
        first = numbers.setdefault(key_of(new), number)
        if first != number:
            problems.append((f"destination {number}", same_as(first)))
        found.append(new)
    if problems:
        raise InvalidRestreamError(*problems[0], *problems[1:])
    return found


def same_as(number: int) -> str:
    """Return that a destination is a copy of an earlier one."""
    return f"has the stream URL and the stream key of destination {number}: remove one of them"


def _title(title: str, text_of: Callable[[str], str]) -> str:
    """Return a title with its columns filled in, each on one line without invisible characters."""
    if not names_in(title):
        return title
    text = filled(title, lambda name: " ".join(text_of(name).split()))
    return "".join(filter(str.isprintable, text)).strip()
