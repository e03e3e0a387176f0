"""What the tests with a real Varnish share."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from tests.helpers.programs import find
from tests.helpers.varnish import closed_port, varnish
from tests.helpers.varnish_clients import Scene, service


class Staging(Protocol):
    """Sets the scene: a sandbox, and a Varnish in front of it."""

    def __call__(
        self, *, first_byte_timeout: float = 60.0, cache_seconds: int = 0
    ) -> AbstractAsyncContextManager[Scene]:
        """Open both.

        Varnish gives the sandbox up after `first_byte_timeout` seconds, and keeps lists for
        `cache_seconds`.
        """
        ...


@pytest.fixture(scope="session")
def varnishd() -> str:
    return find("varnishd", "varnish")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dead_end(varnishd: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """The base URL of a Varnish with nothing behind it."""
    home = tmp_path_factory.mktemp("varnish")
    with closed_port() as port:
        async with varnish(varnishd, home, backend=port) as base_url:
            yield base_url


@pytest.fixture
def staging(varnishd: str, tmp_path: Path) -> Staging:
    @asynccontextmanager
    async def stage(
        *, first_byte_timeout: float = 60.0, cache_seconds: int = 0
    ) -> AsyncGenerator[Scene]:
        async with service() as sandbox:
            port = int(sandbox.base_url.rpartition(":")[2])
            async with varnish(
                varnishd,
                tmp_path,
                backend=port,
                first_byte_timeout=first_byte_timeout,
                cache_seconds=cache_seconds,
            ) as base_url:
                yield Scene(sandbox=sandbox, base_url=base_url)

    return stage
