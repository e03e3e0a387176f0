import pytest

from tests.helpers.client_fixtures import full_port
from tests.helpers.samples import API_KEY

__all__ = ["full_port"]


@pytest.fixture(autouse=True)
def _api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTREAM_API_KEY", API_KEY)
    for name in ("RESTREAM_AUTH_SCHEME", "RESTREAM_NATS_URL"):
        monkeypatch.delenv(name, raising=False)
