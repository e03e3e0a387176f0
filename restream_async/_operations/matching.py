"""Private: compares a shown restream with the wanted one: same, different, or unclear.

The service documents no form for its list. It may show a stream URL otherwise than it was sent, and
may mask stream keys or leave them out. So URLs are compared as URLs. A key that is not shown in
full is unclear: it proves neither that the restream exists nor that it does not.
"""

import enum
import re
from typing import Final

from restream_async._util.urls import normal_url, url_parts
from restream_async.models import NewRestream, Restream

# What hides characters: asterisks, bullets, an ellipsis, a run of the letter x, or a word.
_MASK: Final = re.compile(
    r"[*•●∙·…]+|\.{3,}|[xX]{4,}|[\[<(](hidden|masked|redacted|secret)[\])>]", re.IGNORECASE
)
# A text is taken for the start or the end of a key if it has so many characters, and the key has at
# least so many times as many.
_SHOWN: Final = range(3, 7)
_TIMES: Final = 3


class Match(enum.Enum):
    """How a restream that the service shows compares to the wanted one."""

    SAME = "same"
    DIFFERENT = "different"
    UNCLEAR = "unclear"
    """The stream URL or the stream key is not shown in full."""


def match(new: NewRestream, shown: Restream) -> Match:
    """Compare the video id, the stream URL and the stream key.

    A list is of one video, so a missing id, or another spelling of it, makes no difference.
    """
    if shown.video_id and shown.video_id.casefold() != new.video_id.casefold():
        return Match.DIFFERENT
    # The URL takes longer, and a key that differs decides.
    key = match_key(new.stream_key, shown.stream_key)
    if key is Match.DIFFERENT:
        return key
    url = match_url(new.stream_url, shown.stream_url)
    return key if url is Match.SAME else url


def match_url(wanted: str, shown: str) -> Match:
    """Compare two stream URLs as URLs (RFC 3986, section 6.2).

    The case of the scheme and of the host, the default port, a slash at the end of the path, and
    needless percent-escapes make no difference.
    """
    if wanted == shown or normal_url(wanted) == normal_url(shown):
        return Match.SAME
    hidden = _may_be_masked(wanted, shown) or _may_be_cut(wanted, shown)
    return Match.UNCLEAR if hidden else Match.DIFFERENT


def match_key(wanted: str, shown: str) -> Match:
    """Compare two stream keys, the second of which may be masked, cut off or left out."""
    if wanted == shown:
        return Match.SAME
    cut = (
        len(shown) in _SHOWN
        and len(wanted) >= _TIMES * len(shown)
        and (wanted.startswith(shown) or wanted.endswith(shown))
    )
    hidden = not shown or cut or _may_be_masked(wanted, shown)
    return Match.UNCLEAR if hidden else Match.DIFFERENT


def may_be_hidden(shown: str) -> bool:
    """Return whether a stream key that is shown so may be another one, in part or as a whole."""
    return is_masked(shown) or len(shown) in _SHOWN


def is_masked(shown: str) -> bool:
    """Return whether a text is empty, or has characters that stand for hidden ones."""
    return not shown or _MASK.search(shown) is not None


def _may_be_masked(wanted: str, shown: str) -> bool:
    """Return whether `shown` has a mask, and `wanted` has the text before and after it."""
    masks = list(_MASK.finditer(shown))
    if not masks:
        return False
    start, end = shown[: masks[0].start()], shown[masks[-1].end() :]
    return wanted.startswith(start) and wanted.endswith(end)


def _may_be_cut(wanted: str, shown: str) -> bool:
    """Return whether a URL is `wanted` without a part that can hold secrets."""
    if not shown:
        return True
    whole, rest = url_parts(wanted), url_parts(shown)
    return whole[:3] == rest[:3] and all(
        there in {"", asked} for asked, there in zip(whole[3:], rest[3:], strict=True)
    )
