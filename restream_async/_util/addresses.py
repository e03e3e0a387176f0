"""Private: checks the scheme, the host and the port of a URL."""

from typing import Final
from urllib.parse import urlsplit

_HIGHEST_PORT: Final = 65535


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
