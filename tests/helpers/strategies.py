"""Anything that may come: texts, models, JSON, and secrets as a text may spell them."""

import html
import json
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from restream_async import NewRestream, Restream
from restream_async._util.stray_characters import stray

# A machine that is busy with other things fails no test.
quick: Final = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# What the service can take: no controls, no line or paragraph separators, no half pairs; and
# nothing invisible but a space, except in titles.
_SENDABLE: Final = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
_VISIBLE: Final = st.characters(
    exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"), include_characters=" "
)
texts: Final = st.text(_VISIBLE, min_size=1, max_size=40).filter(
    lambda text: bool(text) and text == text.strip()
)
titles: Final = st.text(_SENDABLE, min_size=1, max_size=40).filter(
    lambda text: bool(text.strip()) and not stray(text, "text")
)
_in_urls: Final = texts.map(lambda text: quote(text, safe=""))
urls: Final = st.builds(
    "{}://{}{}/{}?{}".format,
    st.sampled_from(["rtmp", "rtmps", "srt", "https"]),
    st.one_of(st.just(""), st.builds("{}:{}@".format, _in_urls, _in_urls)),
    st.sampled_from(["live.example.com", "live.example.com:1935", "10.0.0.1", "[2001:db8::1]"]),
    _in_urls,
    _in_urls,
)
new_restreams: Final = st.builds(
    NewRestream,
    video_id=texts.filter(lambda text: text not in {".", ".."}),
    title=titles,
    stream_url=urls,
    stream_key=texts,
    status=st.booleans(),
)
restreams: Final = st.builds(
    Restream,
    id=st.one_of(st.integers(), st.text(_SENDABLE, min_size=1)),
    title=st.text(),
    stream_key=st.text(),
    stream_url=st.one_of(urls, st.text()),
    status=st.booleans(),
    video_id=st.text(),
)
json_values: Final[st.SearchStrategy[object]] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda values: st.one_of(st.lists(values), st.dictionaries(st.text(), values)),
    max_leaves=6,
)


def _json(secret: str) -> str:
    return json.dumps(secret)[1:-1]


def _dotnet_json(secret: str) -> str:
    """Return it as System.Text.Json spells it unless told to relax."""
    escaped = _json(secret).replace('\\"', "\\u0022")
    escaped = re.sub("[&'+<>`]", lambda found: f"\\u{ord(found[0]):04x}", escaped)
    return re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped)


SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "plain": str,
    "JSON": _json,
    "JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "JSON with escaped slashes": lambda secret: _json(secret).replace("/", "\\/"),
    "JSON of .NET": _dotnet_json,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded path": quote,
    "percent-encoded in lower case": lambda secret: re.sub(
        "%..", lambda found: found[0].lower(), quote(secret, safe="")
    ),
    "form": quote_plus,
    "HTML": html.escape,
    "Python": lambda secret: repr(secret)[1:-1],
}


def spellings(secret: str) -> set[str]:
    return {spell(secret) for spell in SPELLINGS.values()}
