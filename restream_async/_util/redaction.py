"""Private: removes secrets from texts.

The library shows neither the API key nor stream keys nor the secret parts of stream URLs. A service
may echo any of them back, whole or cut off. So every text from outside passes through `redact`
before it reaches an error, a log line or a report.
"""

import functools
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"

# A shorter "secret" would blank out ordinary words and protect nothing.
_SHORTEST = 3
# If a text is cut off inside a secret, as many characters of the secret are enough to hide them.
_SHORTEST_CUT = 4
# Values nested deeper are not shown, so that the recursion ends.
_DEEPEST = 8
# A first path segment at least this long may be a key.
_LONG_SEGMENT = 8
# The names of fields that may hold secrets of restreams that this process does not know.
_SECRET_NAMES = re.compile(r"stream_?-?(key|url)|authorization|api_?-?key", re.IGNORECASE)
# Words in a text that may hold secrets of restreams that this process does not know.
_TELLTALE = re.compile(r"stream_?-?(key|url)|rtmps?:|srt:|authorization", re.IGNORECASE)
# Characters that could control a terminal, forge a log line or mislead a reader: control
# characters, invisible spaces and joiners, marks that change the writing direction.
_UNPRINTABLE = re.compile(
    r"[^\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u0370-\u061b\u061d-\u180d\u180f-\u200a"
    r"\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\uf900-\ufefe\uff00-\uffef]+"
)
# Texts that JSON, URLs, HTML and Python all spell alike; most keys are of this kind.
_UNMISTAKABLE = re.compile(r"[\w.~-]+", re.ASCII)
# Characters that .NET's JSON escapes although it need not.
_ESCAPED_BY_DOTNET = re.compile(r"\\\"|[&'+<>`]")
# Escapes whose hexadecimal digits may come in either case.
_HEXADECIMAL = re.compile(r"%[0-9A-F]{2}|\\u[0-9a-f]{4}")


def mask_url(url: str) -> str:
    """Return the scheme, the host and the port of a stream URL; the rest is masked.

    Streaming services put keys into user info, path and query.
    """
    host = host_of(url)
    if host is None:
        return MASK
    parts = urlsplit(url)
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{host}{rest}"


def host_of(url: str) -> str | None:
    """Return the host of a stream URL, with its port if it has one; None without a host."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return None
    if not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}{port}"


# Many restreams have the same URL.
@functools.lru_cache(maxsize=256)
def url_secrets(url: str) -> tuple[str, ...]:
    """Return the parts of a stream URL that no text may repeat, the whole URL first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    user_info = parts.netloc.rpartition("@")[0]
    user, _, password = user_info.partition(":")
    # A short first path segment ("live2", "app") is no secret; a long one, or a later one, can be.
    first, *rest = [piece for piece in parts.path.split("/") if piece] or [""]
    segments = [*rest, first] if len(first) >= _LONG_SEGMENT else rest
    values = [piece.partition("=")[2] or piece for piece in parts.query.split("&")]
    return (url, user_info, user, password, parts.query, parts.fragment, *segments, *values)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets, in plain form or as JSON, URLs and HTML spell them.

    The beginning of a secret at the end of a text that was cut off is removed too.
    """
    return _mask(text, _spellings(tuple(secrets)))


def may_repeat(text: str, secrets: tuple[str, ...]) -> bool:
    """Return whether `redact` might change a text: quick, and true if it is not clear."""
    # A text of these characters can repeat a secret only as it is, or without its URL escapes.
    return not _UNMISTAKABLE.fullmatch(text) or any(
        beginning in text for beginning in _beginnings(secrets)
    )


def redact_values(values: Iterable[object], secrets: Iterable[str]) -> list[object]:
    """Return decoded JSON values without the secrets; fields named like secrets are masked."""
    spellings = _spellings(tuple(secrets))
    return [_mask_value(value, spellings, _DEEPEST) for value in values]


def one_line(text: str) -> str:
    """Return `text` on one printable line."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def clean(text: str, longest: int) -> str:
    """Return `text` on one printable line of at most `longest` characters."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def may_hold_foreign_secrets(text: str) -> bool:
    """Return whether a text may hold stream keys or URLs that this process does not know."""
    return _TELLTALE.search(text) is not None


def _mask(text: str, spellings: Sequence[str]) -> str:
    for spelling in spellings:
        text = text.replace(spelling, MASK)
    cut = max((_cut(text, spelling) for spelling in spellings), default=0)
    return text[:-cut] + MASK if cut else text


def _cut(text: str, secret: str) -> int:
    """Return with how many first characters of a secret a text ends."""
    start = secret[:_SHORTEST_CUT]
    at = text.find(start, max(0, len(text) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(text[at:]):
            return len(text) - at
        at = text.find(start, at + 1)
    return 0


def _mask_value(value: object, spellings: Sequence[str], depth: int) -> object:
    if depth == 0:
        return "…"
    if isinstance(value, str):
        return _mask(value, spellings)
    if isinstance(value, Mapping):
        fields = cast("Mapping[object, object]", value)
        return {
            _mask(str(name), spellings): MASK
            if _SECRET_NAMES.search(str(name))
            else _mask_value(item, spellings, depth - 1)
            for name, item in fields.items()
        }
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return [_mask_value(item, spellings, depth - 1) for item in items]
    if isinstance(value, int | float):
        # A key of digits may come as a number.
        shown = _mask(str(value), spellings)
        return shown if MASK in shown else value
    return value


@functools.lru_cache(maxsize=256)
def _beginnings(secrets: tuple[str, ...]) -> frozenset[str]:
    """Return the first characters of the secrets, also of their forms without URL escapes."""
    forms = {form for secret in secrets for form in (secret, unquote(secret))}
    return frozenset(form[:_SHORTEST] for form in forms if len(form) >= _SHORTEST)


# One failure has several texts, all with the same secrets.
@functools.lru_cache(maxsize=8)
def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the secrets as a text may spell them, the longest first."""
    plain = {secret for secret in secrets if len(secret) >= _SHORTEST}
    plain |= {part for part in map(unquote, plain) if len(part) >= _SHORTEST}
    spelled = {spelling for secret in plain for spelling in _spelled(secret)}
    # The text may have been put on one line before.
    spelled |= set(map(one_line, spelled))
    long_enough = (spelling for spelling in spelled if len(spelling) >= _SHORTEST)
    return tuple(sorted(long_enough, key=len, reverse=True))


def _spelled(secret: str) -> Iterator[str]:
    yield secret
    if _UNMISTAKABLE.fullmatch(secret):
        return
    in_json = json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield in_json.replace("/", "\\/")
    yield html.escape(secret)
    # A Python repr, in which an object among the service's messages is shown.
    yield repr(secret)[1:-1]
    by_dotnet = _ESCAPED_BY_DOTNET.sub(lambda found: f"\\u{ord(found[0][-1]):04x}", in_json)
    # Half a surrogate pair, which only the service can send, has no form in a URL.
    in_url = secret.encode(errors="replace")
    forms = quote(in_url, safe=""), quote(in_url), quote_plus(in_url)
    for escaped in (in_json, by_dotnet, *forms):
        yield _HEXADECIMAL.sub(lambda found: found[0].lower(), escaped)
        yield _HEXADECIMAL.sub(lambda found: found[0].upper().replace("U", "u"), escaped)
