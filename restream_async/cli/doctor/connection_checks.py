"""Private: checks of the connection to the service: DNS, TCP, the proxy and its tunnel, TLS."""

import asyncio
import ssl
from http import HTTPStatus
from typing import Final

import attrs

from restream_async._http.connection_errors import certificate_remedy, reason_of
from restream_async._util.clock import Clock
from restream_async.cli.doctor.certificates import Certificate, presented
from restream_async.cli.doctor.network import (
    NETWORK_ERRORS,
    TunnelRefusedError,
    Way,
    handshake,
    reachable,
    resolve,
    to_proxy,
    tunnel,
)
from restream_async.cli.doctor.results import Finding, duration, failed, ok, warning
from restream_async.cli.errors import in_cli_words
from restream_async.cli.output.console import plural
from restream_async.errors import RestreamError

_MOST_ADDRESSES: Final = 4
_CHECK_HOST: Final = "Check the host in the base URL (RESTREAM_BASE_URL or --base-url)"
_CHECK_PROXY: Final = "Check the proxy (--proxy, or the variable that names it)"
_LOGIN: Final = (
    "Put the right user name and password into the proxy URL in the variable HTTPS_PROXY (or "
    "HTTP_PROXY), as in http://user:password@proxy.example.com:3128."
)


@attrs.define(kw_only=True)
class ConnectionChecks:
    """Checks the connection to the service, layer by layer; each check needs those before it.

    Attributes:
        way: the layers.
        clock: the source of time.
        timeout: seconds for one check.

    """

    way: Way
    clock: Clock
    timeout: float
    _addresses: list[str] = attrs.field(init=False, factory=list[str])
    _address: str = attrs.field(init=False, default="")

    async def dns(self) -> Finding:
        """Check that the host has an address."""
        host = self.way.first.host
        try:
            async with asyncio.timeout(self.timeout):
                self._addresses = await resolve(self.way.first)
        except NETWORK_ERRORS as error:
            where = _CHECK_HOST if self.way.proxy is None else _CHECK_PROXY
            return failed(
                f"the name {host} could not be resolved ({self._why(error)})",
                f"{where}, and the DNS server of this machine.",
            )
        if self._addresses == [host]:
            return ok(f"not needed, {host} is an address")
        shown = ", ".join(self._addresses[:_MOST_ADDRESSES])
        more = len(self._addresses) - _MOST_ADDRESSES
        return ok(f"{host} is {shown}" + (f" and {plural(more, 'more')[:-1]}" if more > 0 else ""))

    async def tcp(self) -> Finding:
        """Check that the host takes a connection."""
        first, start = self.way.first, self.clock.now()
        try:
            async with asyncio.timeout(self.timeout):
                self._address = await reachable(self._addresses, first.port)
        except NETWORK_ERRORS as error:
            where = _CHECK_HOST.replace("host", "host and the port")
            if self.way.proxy is not None:
                where = _CHECK_PROXY
            return failed(
                f"no connection to {first} ({self._why(error)})",
                f"{where}, and the firewalls in between.",
            )
        return ok(f"connected to {self._address} port {first.port} in {self._since(start)}")

    async def proxy_tls(self) -> Finding:
        """Check the TLS of a proxy with an https:// URL."""
        start = self.clock.now()
        try:
            async with asyncio.timeout(self.timeout), to_proxy(self.way, self._address):
                pass
        except NETWORK_ERRORS as error:
            return self._failed_handshake(error, "proxy", None)
        return ok(f"the connection to the proxy is encrypted, in {self._since(start)}")

    async def tunnel(self) -> Finding:
        """Check that the proxy opens a tunnel to the service."""
        start, service = self.clock.now(), self.way.service
        try:
            async with asyncio.timeout(self.timeout), tunnel(self.way, self._address):
                pass
        except TunnelRefusedError as refusal:
            return _refused_tunnel(refusal.status)
        except NETWORK_ERRORS as error:
            return failed(f"the proxy did not answer ({self._why(error)})", f"{_CHECK_PROXY}.")
        return ok(f"the proxy opened one to {service} in {self._since(start)}")

    async def tls(self) -> Finding:
        """Check the certificate of the service."""
        start = self.clock.now()
        try:
            async with asyncio.timeout(self.timeout):
                agreed = await handshake(self.way, self._address, self.way.trust)
        except (*NETWORK_ERRORS, TunnelRefusedError) as error:
            found = None
            if isinstance(error, ssl.SSLCertVerificationError):
                found = await presented(self.way, self._address)
            return self._failed_handshake(error, "service", found)
        found = Certificate.of(agreed.getpeercert() or {})
        now = self.clock.wall_clock()
        detail = (
            f"{agreed.version()} in {self._since(start)}, certificate issued by {found.issuer}, "
            f"{plural(found.days_left(now), 'day')} left"
        )
        if found.expires_soon(now):
            return warning(detail, "The operators of the service have to renew the certificate.")
        return ok(detail)

    def _failed_handshake(
        self, error: Exception, peer: str, certificate: Certificate | None
    ) -> Finding:
        """Return why a TLS handshake failed; `certificate` is what the peer presented, if known."""
        if isinstance(error, ssl.SSLCertVerificationError):
            detail = f"the certificate of the {peer} could not be verified ({self._why(error)})"
            if certificate is not None:
                days = certificate.days_left(self.clock.wall_clock())
                detail += f", issued by {certificate.issuer}, " + (
                    f"{plural(days, 'day')} left"
                    if days >= 0
                    else f"expired {plural(-days, 'day')} ago"
                )
            remedy = certificate_remedy(error, "to" if peer == "proxy" else "")
            advice = in_cli_words(RestreamError(remedy))
            return failed(detail, f"{advice[0].upper()}{advice[1:]}.")
        return failed(
            f"the {peer} does not speak TLS on this port ({self._why(error)})",
            "It may be a port for plain http://: check the port, and http or https, in the "
            + ("proxy URL." if peer == "proxy" else "base URL (RESTREAM_BASE_URL or --base-url)."),
        )

    def _why(self, error: Exception) -> str:
        if isinstance(error, TimeoutError) and not error.errno:
            return f"no answer within {self.timeout:g} s"
        if isinstance(error, EOFError):
            return "it closed the connection"
        return reason_of(error)

    def _since(self, start: float) -> str:
        return duration(self.clock.now() - start)


def _refused_tunnel(status: int) -> Finding:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return failed(f"the proxy asks for a user name and password ({status})", _LOGIN)
    if not status:
        return failed(
            "what the proxy answered is no HTTP",
            f"{_CHECK_PROXY}: another program may listen on its port.",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failed(
            f"the proxy could not connect to the service ({status})",
            f"{_CHECK_HOST}, and whether the proxy can resolve and reach it.",
        )
    return failed(
        f"the proxy refuses to connect to the service ({status})",
        "Check that the proxy allows the host and the port of the service. If the proxy is not "
        "needed, name the host in NO_PROXY.",
    )
