"""Private: who issued the certificate of the service, and how long it is valid."""

import ssl
from collections.abc import Mapping
from typing import Any, Final, Self

import attrs

from restream_async._util.redaction import clean
from restream_async.cli.doctor.network import NETWORK_ERRORS, Way, handshake

_LONGEST: Final = 80
_DAY: Final = 24 * 3600.0
_FEW_DAYS: Final = 14
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL 1.1.0, which the module ssl does not name.
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)


@attrs.frozen
class Certificate:
    """A certificate of a server.

    Attributes:
        issuer: who signed it.
        ends: when it expires, in seconds since 1970.

    """

    issuer: str
    ends: float

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `getpeercert` returns."""
        names = {name: value for part in fields.get("issuer", ()) for name, value in part}
        organization = names.get("organizationName", "")
        name = names.get("commonName", "") or organization or "an authority without a name"
        issuer = f"{name} ({organization})" if organization not in {"", name} else name
        return cls(clean(issuer, _LONGEST), ssl.cert_time_to_seconds(fields["notAfter"]))

    def days_left(self, now: float) -> int:
        """Return the whole days until it expires; negative if it has expired."""
        return int((self.ends - now) // _DAY)

    def expires_soon(self, now: float) -> bool:
        """Return whether so few days are left that somebody should renew it."""
        return self.days_left(now) < _FEW_DAYS


async def presented(way: Way, address: str) -> Certificate | None:
    """Return the certificate that a service presents, although it is not trusted.

    Python decodes only certificates that it has verified. So this gets the certificate first, and
    then trusts this one alone. Nothing is sent but the handshakes.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pinned.check_hostname = False
    pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        encoded = (await handshake(way, address, blind)).getpeercert(binary_form=True)
        pinned.load_verify_locations(cadata=encoded or b"")
        return Certificate.of((await handshake(way, address, pinned)).getpeercert() or {})
    except (*NETWORK_ERRORS, LookupError, ValueError):
        return None
