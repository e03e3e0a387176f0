"""Whose certificates are trusted, and what is said of those that are not."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from typing import Any, Final

import aiohttp
import pytest
import trustme

from restream_async import ConfigurationError, RestreamClient
from restream_async.errors import CertificateError
from tests.helpers.client_calls import failure_of
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import API_KEY, SECRETS, created, new_restream

AUTHORITY: Final = trustme.CA()
_LONG_AGO: Final = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
_NOT_SOON: Final = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


def _server(certificate: trustme.LeafCert) -> RawServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    return RawServer(tls=context, post=created())


def _good() -> RawServer:
    return _server(AUTHORITY.issue_cert("127.0.0.1"))


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=AUTHORITY.cert_pem.bytes().decode())
    return context


@pytest.mark.parametrize(
    ("server", "trusted", "words", "remedy"),
    [
        (
            _good(),
            True,
            "unable to get local issuer certificate",
            "certificate authority of the service with ssl=… or the variable SSL_CERT_FILE",
        ),
        (
            _server(AUTHORITY.issue_cert("elsewhere.example.com")),
            _trusting(),
            "ip address mismatch, certificate is not valid for '127.0.0.1'",
            "; check the host in the base URL: the certificate is that of another one",
        ),
        (
            _server(AUTHORITY.issue_cert("127.0.0.1", not_after=_LONG_AGO)),
            _trusting(),
            "certificate has expired",
            "; the service has to renew its certificate, unless the clock of this machine is wrong",
        ),
        (
            _server(AUTHORITY.issue_cert("127.0.0.1", not_before=_NOT_SOON, not_after=_NOT_SOON)),
            _trusting(),
            "certificate is not yet valid",
            "; the service has to renew its certificate, unless the clock of this machine is wrong",
        ),
        (
            _good(),
            aiohttp.Fingerprint(b"x" * 32),
            "of 127.0.0.1 is not the expected one",
            "; if the service has a new one, pass its fingerprint as ssl=…",
        ),
    ],
    ids=["authority", "host", "expired", "not yet valid", "fingerprint"],
)
async def test_a_certificate_that_is_not_trusted_is_raised_at_once_with_its_remedy(
    server: RawServer,
    trusted: ssl.SSLContext | aiohttp.Fingerprint | bool,  # noqa: FBT001 - as in aiohttp
    words: str,
    remedy: str,
) -> None:
    async with server, leak_checked_client(server, ssl=trusted) as client:
        error = await failure_of(client.create(new_restream()), CertificateError)
        await assert_nothing_left(client)

    assert (error.attempts, error.sent, server.requests) == (1, False, [])
    assert words in str(error)
    assert str(error).endswith(remedy)
    assert not [secret for secret in SECRETS if secret in str(error)]


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named() -> None:
    async with _good() as server, leak_checked_client(server, ssl=_trusting()) as client:
        assert (await client.create(new_restream())).id == 7


async def test_in_a_session_of_ones_own_too() -> None:
    async with (
        _good() as server,
        aiohttp.ClientSession() as session,
        leak_checked_client(server, ssl=_trusting(), session=session) as client,
    ):
        assert (await client.create(new_restream())).id == 7


async def test_without_an_argument_the_trust_settings_of_the_callers_session_stay() -> None:
    connector = aiohttp.TCPConnector(ssl=_trusting())
    async with (
        _good() as server,
        aiohttp.ClientSession(connector=connector) as session,
        leak_checked_client(server, session=session) as client,
    ):
        assert (await client.create(new_restream())).id == 7


async def test_a_certificate_can_be_named_by_its_fingerprint() -> None:
    certificate = AUTHORITY.issue_cert("127.0.0.1")
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    pinned = aiohttp.Fingerprint(hashlib.sha256(der).digest())
    async with _server(certificate) as server, leak_checked_client(server, ssl=pinned) as client:
        assert (await client.create(new_restream())).id == 7


@pytest.mark.parametrize("nonsense", [1, "ca.pem", b""])
def test_anything_else_is_a_configuration_error(nonsense: Any) -> None:  # noqa: ANN401 - on purpose
    with pytest.raises(ConfigurationError, match=r"ssl must be an ssl\.SSLContext"):
        RestreamClient(
            base_url="https://api.example.com", project_id="p1", api_key=API_KEY, ssl=nonsense
        )
