"""Private: connections to the service, one layer at a time: name, TCP, proxy, tunnel, TLS.

They carry no API key. The login of a proxy goes to the proxy only.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, Self, TypeAlias

import attrs
from yarl import URL

from restream_async._proxy import Proxy
from restream_async.settings import Settings

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

NETWORK_ERRORS: Final = (OSError, EOFError, asyncio.LimitOverrunError)
"""What these functions raise. `OSError` includes those of TLS."""

_STATUS: Final = re.compile(rb"HTTP/1\.\d (\d{3})")
_SUCCESS: Final = range(200, 300)
_BETWEEN_ADDRESSES: Final = 3.0
"""Seconds until the next address is tried."""


class TunnelRefusedError(Exception):
    """The proxy did not open a tunnel; `status` is its answer, or 0 if that was no HTTP."""

    def __init__(self, status: int) -> None:
        """Note the status."""
        super().__init__(status)
        self.status = status


@attrs.frozen
class Endpoint:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the host and the port of a URL."""
        parsed = URL(url)
        return cls(parsed.raw_host or "", parsed.port or 0)

    def __str__(self) -> str:
        """Return for example `api.example.com port 443`."""
        return f"{self.host} port {self.port}"


@attrs.frozen(kw_only=True)
class Way:
    """The layers of a connection to the service.

    Attributes:
        service: the host and the port of the base URL.
        has_tls: whether the base URL is https://.
        proxy: the proxy, or None.
        tls: which certificates to trust; None for those of the system.

    """

    service: Endpoint
    has_tls: bool
    proxy: Proxy | None
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, settings: Settings, tls: ssl.SSLContext | None) -> Self:
        """Return the way of a client with these settings."""
        return cls(
            service=Endpoint.of(settings.base_url),
            has_tls=URL(settings.base_url).scheme == "https",
            proxy=settings.proxy,
            tls=tls,
        )

    @property
    def first(self) -> Endpoint:
        """The host and the port of the first connection: those of the proxy, if there is one."""
        return self.service if self.proxy is None else Endpoint.of(self.proxy.url)

    @property
    def trust(self) -> ssl.SSLContext:
        """Which certificates to trust."""
        return self.tls or ssl.create_default_context()

    @property
    def has_encrypted_proxy(self) -> bool:
        """Whether the connection to the proxy is encrypted."""
        return self.proxy is not None and URL(self.proxy.url).scheme == "https"

    @property
    def has_tunnel(self) -> bool:
        """Whether the proxy has to open a tunnel. Plain HTTP needs none."""
        return self.proxy is not None and self.has_tls


async def resolve(endpoint: Endpoint) -> list[str]:
    """Return the addresses of a host.

    Not in a thread of the event loop: a resolver may hang, and the loop waits for its threads.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: OSError | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[str] = []
        problem: OSError | None = None
        try:
            infos = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            addresses = [*dict.fromkeys(str(info[4][0]) for info in infos)]
        except OSError as error:
            problem = error
        # The loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, addresses, problem)

    threading.Thread(target=look_up, daemon=True).start()
    return await found


async def reachable(addresses: list[str], port: int) -> str:
    """Return the first address that takes a connection. Raises the error of the last one."""
    *others, last = addresses
    for address in others:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_BETWEEN_ADDRESSES), tcp(address, port):
                pass
            return address
    async with tcp(last, port):
        return last


@asynccontextmanager
async def tcp(address: str, port: int) -> AsyncGenerator[Streams]:
    """Open a connection, and reset it at the end."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        # The transport closes its socket in the next round of the event loop.
        await asyncio.sleep(0)


@asynccontextmanager
async def to_proxy(way: Way, address: str) -> AsyncGenerator[Streams]:
    """Open a connection to the proxy, with its TLS; without a proxy, to the service."""
    async with tcp(address, way.first.port) as (reader, writer):
        if way.has_encrypted_proxy:
            await writer.start_tls(way.trust, server_hostname=way.first.host)
        yield reader, writer


@asynccontextmanager
async def tunnel(way: Way, address: str) -> AsyncGenerator[Streams]:
    """Open a connection to the service, through the tunnel of the proxy if there is one.

    Raises:
        TunnelRefusedError: the proxy opens none.

    """
    async with to_proxy(way, address) as (reader, writer):
        if way.has_tunnel:
            writer.write(_connect_request(way))
            head = await reader.readuntil(b"\r\n\r\n")
            answer = _STATUS.match(head)
            status = int(answer[1]) if answer else 0
            if status not in _SUCCESS:
                raise TunnelRefusedError(status)
        yield reader, writer


async def handshake(way: Way, address: str, trust: ssl.SSLContext) -> ssl.SSLObject:
    """Make a TLS handshake with the service, and return what was agreed."""
    async with tunnel(way, address) as (_, writer):
        await writer.start_tls(trust, server_hostname=way.service.host)
        agreed: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return agreed


def _connect_request(way: Way) -> bytes:
    host, port = way.service.host, way.service.port
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if way.proxy is not None and way.proxy.authorization:
        lines.append(f"Proxy-Authorization: {way.proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode()
