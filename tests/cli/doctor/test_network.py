import pytest

from restream_async._proxy import Proxy
from restream_async.cli.doctor.network import Endpoint, Way, tunnel
from tests.helpers.raw_server import RawServer
from tests.helpers.relay import Relay


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://api.example.com", "api.example.com", 443),
        ("http://api.example.com/vp", "api.example.com", 80),
        ("https://[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("https://bücher.example", "xn--bcher-kva.example", 443),
    ],
)
def test_an_endpoint_is_the_host_and_the_port_of_a_url(url: str, host: str, port: int) -> None:
    assert Endpoint.of(url) == Endpoint(host, port)
    assert str(Endpoint.of(url)) == f"{host} port {port}"


@pytest.mark.parametrize(
    ("host", "target"), [("service.test", "service.test:443"), ("::1", "[::1]:443")]
)
async def test_a_tunnel_is_asked_for_without_a_login_if_there_is_none(
    host: str, target: str
) -> None:
    async with RawServer() as server, Relay(server.port) as proxy:
        way = Way(
            service=Endpoint(host, 443),
            has_tls=True,
            proxy=Proxy(proxy.url),
            tls=None,
        )
        async with tunnel(way, "127.0.0.1"):
            await server.connected()
            assert proxy.heads == [f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"]
