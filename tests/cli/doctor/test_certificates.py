import asyncio

import pytest

from restream_async.cli.doctor.certificates import Certificate, presented
from restream_async.cli.doctor.network import Endpoint, Way
from tests.helpers.varnish import closed_port

ENDS = "Nov 27 12:00:00 2026 GMT"
NOON = 1795780800.0
DAY = 24 * 3600.0


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ([("commonName", "R11"), ("organizationName", "Let's Encrypt")], "R11 (Let's Encrypt)"),
        ([("organizationName", "Own")], "Own"),
        ([("commonName", "Own"), ("organizationName", "Own")], "Own"),
        ([("countryName", "XK")], "an authority without a name"),
        ([("commonName", "a\x1b[2Jb")], "a [2Jb"),
    ],
)
def test_an_issuer_has_a_name_and_an_organization(issuer: list[tuple[str, str]], name: str) -> None:
    fields = {"issuer": tuple((each,) for each in issuer), "notAfter": ENDS}
    assert Certificate.of(fields).issuer == name


@pytest.mark.parametrize(
    ("now", "days"), [(NOON, 0), (NOON - DAY, 1), (NOON - 1, 0), (NOON + 1, -1)]
)
def test_days_are_whole_ones(now: float, days: int) -> None:
    assert Certificate("x", NOON).days_left(now) == days
    assert Certificate.of({"notAfter": ENDS}).ends == NOON


@pytest.mark.parametrize(("days", "soon"), [(14, False), (13, True), (-1, True)])
def test_it_expires_soon_with_fewer_than_14_days_left(days: int, soon: bool) -> None:  # noqa: FBT001 - a test's case
    assert Certificate("x", NOON).expires_soon(NOON - days * DAY) is soon


async def test_a_certificate_that_cannot_be_read_is_left_out() -> None:
    with closed_port() as port:
        way = Way(
            service=Endpoint("127.0.0.1", port),
            has_tls=True,
            proxy=None,
            tls=None,
        )
        async with asyncio.timeout(5):
            assert await presented(way, "127.0.0.1") is None
