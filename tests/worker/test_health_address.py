import pytest

from restream_async import ConfigurationError
from restream_async.worker.health_address import HealthAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        (":9464", "127.0.0.1", 9464),
        ("10.0.0.1:9464", "10.0.0.1", 9464),
        ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert HealthAddress.parse(text) == HealthAddress(host=host, port=port)


@pytest.mark.parametrize(
    "text",
    ["", ":", "localhost", "localhost:", "::1:80", "[::1]", "[::1:80", "h:65536", "h:-1", "h:²",
     " h:80", "[h]:80"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must be HOST:PORT.*\[::\]:9464"):
        HealthAddress.parse(text)
