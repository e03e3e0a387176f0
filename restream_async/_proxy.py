"""Private: the forward proxy of a client: given, or named by the environment."""

import ipaddress
import re
from base64 import b64encode
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs
from yarl import URL

from restream_async._util.stray_characters import stray
from restream_async._util.urls import wrong_address
from restream_async.errors import ConfigurationError

_EXAMPLE: Final = "http://user:password@proxy.example.com:3128"
_END_OF_HOST: Final = re.compile(r"[/?#]")


@attrs.frozen
class Proxy:
    """A forward proxy.

    Attributes:
        url: scheme, host and port.
        authorization: the value of the `Proxy-Authorization` header, or empty.
        secrets: what no text may repeat.
        variable: the environment variable that names it; empty if an argument does.

    """

    url: str
    authorization: str = attrs.field(default="", repr=False)
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    variable: str = ""


def proxy_for(base: str, given: object, *, trust_env: bool) -> Proxy | None:
    """Return the proxy for a base URL: the given one, or with `trust_env` that of the environment.

    Raises:
        ConfigurationError: its URL is malformed.

    """
    name, hint, variable = "proxy", "set it with proxy=…", ""
    if given is None and trust_env:
        given, variable = _proxy_of_environment(urlsplit(base))
        name, hint = f"the proxy in {variable}", f"set the variable {variable}"
    if given is None:
        return None
    if not isinstance(given, str | URL):
        raise ConfigurationError(f"{name} must be a string, not {type(given).__name__}")
    text = str(given)
    url = text if "://" in text else f"http://{text}"
    if problem := stray(text, "visible") or _wrong_proxy(url):
        raise ConfigurationError(f"{name} {problem} ({hint})")
    parts = urlsplit(url)
    login, _, address = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    encoded = b64encode(unquote(f"{user}:{password}").encode()).decode() if login else ""
    return Proxy(
        f"{parts.scheme}://{address}",
        f"Basic {encoded}" if login else "",
        # A user without a password may be a token.
        (password or user, encoded) if login else (),
        variable,
    )


def _wrong_proxy(url: str) -> str:
    """Return what is wrong with the URL of a proxy, or nothing."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in {"http", "https"}:
        kind = "is a SOCKS proxy, which is not supported: it " if "socks" in scheme.lower() else ""
        return f"{kind}must begin with http:// or https://, such as {_EXAMPLE}"
    if any(_END_OF_HOST.split(rest, maxsplit=1)[1:]):
        return (
            f"must end with its host and port, such as {_EXAMPLE}, with special characters "
            "of a user name or password percent-encoded"
        )
    return wrong_address(url, _EXAMPLE)


def _proxy_of_environment(base: SplitResult) -> tuple[str | None, str]:
    """Return the proxy that the environment names for the service, and the name of its variable.

    There is none for this machine itself, nor for the hosts in NO_PROXY.
    """
    host = base.hostname or ""
    if is_loopback(host) or proxy_bypass(base.netloc):
        return None, ""
    proxies = getproxies()
    name = base.scheme if base.scheme in proxies else "all"
    return proxies.get(name), f"{name.upper()}_PROXY"


def keeps_secret(base: str, proxy: Proxy) -> bool:
    """Return whether no other machine can read what is sent through a proxy."""
    return base.lower().startswith("https:") or is_loopback(urlsplit(proxy.url).hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
