"""Private: URLs: what is wrong with one, its parts, and the form that all its spellings share."""

import functools
import re
from typing import Final
from urllib.parse import urlsplit

_HIGHEST_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443, "rtmpt": 80, "http": 80, "https": 443}
# Nearly all URLs are their own normal form.
_PLAIN: Final = re.compile(r"[a-z]+://[a-z0-9-]+(\.[a-z0-9-]+)*(/[A-Za-z0-9._~-]+)*")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
# These mean the same with and without an escape (RFC 3986, section 2.3).
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")


def wrong_address(url: str, example: str) -> str:
    """Return what is wrong with the scheme, the host or the port of a URL, or nothing."""
    # The errors of `urlsplit` may repeat the URL, so no error may chain to them.
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "must have a host that can be read: a name, or an address (IPv6 in [brackets])"
    if not parts.scheme or not (host or "").strip():
        return f"must have a scheme and a host, such as {example}"
    try:
        port = parts.port
    except ValueError:
        port = 0
    return f"must have a port from 1 to {_HIGHEST_PORT}, or none" if port == 0 else ""


@functools.lru_cache(maxsize=256)
def normal_url(url: str) -> str:
    """Return the form that all spellings of a stream URL share."""
    if _PLAIN.fullmatch(url):
        return url
    parts = url_parts(url)
    if not parts:
        return url
    scheme, host, port, user_info, path, query, fragment = parts
    if port == str(_DEFAULT_PORTS.get(scheme, "")):
        port = ""
    return (
        f"{scheme}://{user_info and f'{user_info}@'}{host}{port and f':{port}'}{path}"
        f"{query and f'?{query}'}{fragment and f'#{fragment}'}"
    )


def url_parts(url: str) -> tuple[str, ...]:
    """Return scheme, host, port, user info, path, query and fragment, each in its normal form.

    The result is empty if the text is no URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ()
    user_info = parts.netloc.rpartition("@")[0]
    host = (parts.hostname or "").rstrip(".")
    path = _ESCAPE.sub(_normal_escape, parts.path).rstrip("/")
    return parts.scheme, host, str(port or ""), user_info, path, parts.query, parts.fragment


def _normal_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    return character if _UNRESERVED.match(character) else escape[0].upper()
