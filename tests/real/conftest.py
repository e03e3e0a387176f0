"""Fixtures for tests with a real Varnish."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from tests.helpers.programs import find
from tests.helpers.varnish import closed_port, varnish
from tests.helpers.varnish_clients import VarnishSetup, service


class OpenVarnishSetup(Protocol):
    """Opens a sandbox, and a Varnish in front of it."""

    def __call__(
        self, *, first_byte_timeout: float = 60.0, cache_seconds: int = 0
    ) -> AbstractAsyncContextManager[VarnishSetup]:
        """Open both.

        Varnish waits `first_byte_timeout` seconds for the sandbox, and caches lists for
        `cache_seconds`.
        """
        ...


@pytest.fixture(scope="session")
def varnishd() -> str:
    return find("varnishd", "varnish")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dead_backend(
    varnishd: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[str]:
    """Give the base URL of a Varnish without a backend."""
    home = tmp_path_factory.mktemp("varnish")
    with closed_port() as port:
        async with varnish(varnishd, home, backend=port) as base_url:
            yield base_url


@pytest.fixture
def varnish_setup(varnishd: str, tmp_path: Path) -> OpenVarnishSetup:
    @asynccontextmanager
    async def open_setup(
        *, first_byte_timeout: float = 60.0, cache_seconds: int = 0
    ) -> AsyncGenerator[VarnishSetup]:
        async with service() as sandbox:
            port = int(sandbox.base_url.rpartition(":")[2])
            async with varnish(
                varnishd,
                tmp_path,
                backend=port,
                first_byte_timeout=first_byte_timeout,
                cache_seconds=cache_seconds,
            ) as base_url:
                yield VarnishSetup(sandbox=sandbox, base_url=base_url)

    return open_setup
