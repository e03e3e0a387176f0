"""What must never be read by a person: finding it in a text, and taking it out.

The API key, stream keys, and what a stream URL can hide appear in nothing that this library
shows. A service may echo any of them back, whole or cut off, so every text that comes from
outside passes through `redact` before it reaches an error, a log line or a report.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote, urlsplit

MASK = "***"

# Shorter than this, a "secret" would blank out ordinary words and protect nothing.
_SHORTEST = 3
# A text cut off inside a secret is hidden from this many of its characters on.
_SHORTEST_CUT = 4
# Values nested deeper than this are not shown; nobody reads them, and recursion has an end.
_DEEPEST = 8
# The names under which the service sends secrets of restreams that this process may not know.
_SECRET_NAMES = re.compile(r"stream_?-?(key|url)|authorization|api_?-?key", re.IGNORECASE)
# The sign that a text may hold secrets of other people's restreams.
_TELLTALE = re.compile(r"stream_?-?(key|url)|rtmps?:|srt:|authorization", re.IGNORECASE)
# Characters that could steer a terminal or forge a log line.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\u02ff\u0370-\ud7ff\uf900-\uffef]+")


def mask_url(url: str) -> str:
    """Return as much of a stream URL as anyone may see: scheme, host and port.

    User info, path and query are where streaming services put keys.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return MASK
    if not parts.hostname:
        return MASK
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{host}{port}{rest}"


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the parts of a stream URL that a text must not repeat, the whole URL first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    user_info = parts.netloc.rpartition("@")[0]
    password = user_info.partition(":")[2]
    # A short first path segment ("live2", "app") is no secret; what follows it can be.
    segments = [piece for piece in parts.path.split("/")[2:] if piece]
    values = [piece.partition("=")[2] or piece for piece in parts.query.split("&")]
    return (url, user_info, password, parts.query, parts.fragment, *segments, *values)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets: plain, or as JSON, URLs and HTML spell them.

    A secret that the text was cut off in the middle of is taken out too.
    """
    for secret in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
        for length in range(len(secret) - 1, _SHORTEST_CUT - 1, -1):
            if text.endswith(secret[:length]):
                text = text[:-length] + MASK
                break
    return text


def redact_value(value: object, secrets: Iterable[str], depth: int = _DEEPEST) -> object:
    """Return a decoded JSON value without the secrets, and without the fields named for them."""
    secrets = tuple(secrets)
    if depth == 0:
        return "…"
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {
            redact(str(name), secrets): MASK
            if _SECRET_NAMES.search(str(name))
            else redact_value(item, secrets, depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(item, secrets, depth - 1) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A key of digits may come back as a number.
        shown = redact(str(value), secrets)
        return shown if MASK in shown else value
    return value


def clean(text: str, longest: int) -> str:
    """Return `text` on one printable line of at most `longest` characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def may_hold_foreign_secrets(text: str) -> bool:
    """Say whether a text looks as if it held stream keys or URLs that nobody told us of."""
    return _TELLTALE.search(text) is not None


def _spellings(secrets: Iterable[str]) -> set[str]:
    plain = {secret for secret in secrets if len(secret) >= _SHORTEST}
    plain |= {part for part in map(unquote, plain) if len(part) >= _SHORTEST}
    spelled = set(plain)
    for secret in plain:
        spelled.add(json.dumps(secret)[1:-1])
        spelled.add(json.dumps(secret, ensure_ascii=False)[1:-1])
        spelled.add(json.dumps(secret)[1:-1].replace("/", "\\/"))
        spelled.add(quote(secret, safe=""))
        spelled.add(quote(secret))
        spelled.add(html.escape(secret))
        # A Python repr, as an object among the service's messages is shown.
        spelled.add(repr(secret)[1:-1])
        # A text is cleaned before it is cut to length.
        spelled.add(" ".join(_UNPRINTABLE.sub(" ", secret).split()))
    return {secret for secret in spelled if len(secret) >= _SHORTEST}
