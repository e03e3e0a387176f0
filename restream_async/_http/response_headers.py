"""Private: header fields of responses: `Retry-After`, request ids, and those of caches."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_CACHE_HEADERS: Final = (
    "Cache-Status",
    "X-Cache",
    "X-Cache-Status",
    "X-Proxy-Cache",
    "CF-Cache-Status",
)
_HIT: Final = re.compile(r"(?<![a-z])hit(?![a-z])", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,10}(\.\d{1,10})?", re.ASCII)


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Return whether a cache says that it answered from its store.

    Caches say it with `Age` (RFC 9111, section 5.1), with `Cache-Status` (RFC 9211), or with the
    headers of nginx, CDNs and proxies. Varnish puts two numbers into `X-Varnish`: that of the
    request, and that of the request whose response it had stored.
    """
    hits = " ".join(headers.get(name, "") for name in _CACHE_HEADERS)
    return (
        headers.get("Age", "0").strip() != "0"
        or len(headers.get("X-Varnish", "").split()) > 1
        or _HIT.search(hits) is not None
    )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the request id of the service, else that of Varnish, else an empty string.

    Of the two numbers that Varnish sends for a stored response, the first is that of the request.
    """
    varnish = headers.get("X-Varnish", "").partition(" ")[0]
    return headers.get("X-Request-Id", "").strip() or varnish


def retry_after(headers: Mapping[str, str], wall_clock: Callable[[], float]) -> float | None:
    """Return the seconds that `Retry-After` asks to wait, or None if it is missing or invalid.

    It has two forms (RFC 9110, section 10.2.3). A date is compared with the `Date` of the response
    if there is one, so that a wrong clock on either side does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    then = _date(value)
    if then is None:
        return None
    now = _date(headers.get("Date", ""))
    return max(0.0, then - (now if now is not None else wall_clock()))


def _date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # RFC 9110, section 5.6.7: a date is in GMT, even if it does not say so.
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
