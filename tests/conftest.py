"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import aioresponses
import pytest

from tests.helpers.message_index import messages, pytest_runtest_logreport, pytest_sessionfinish

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "messages",
    "mocked",
    "pytest_runtest_logreport",
    "pytest_sessionfinish",
    "pytest_xdist_auto_num_workers",
]
# What the machine that runs the tests has set.
for _variable in ("RESTREAM_AUTH_SCHEME", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
    for _name in (_variable, _variable.lower()):
        os.environ.pop(_name, None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests in two processes, and a choice of them in this one, which starts sooner."""
    return 2 if config.args == config.getini("testpaths") else 0


class _Answer(aiohttp.ClientResponse):
    """What aioresponses 0.7.9 builds, with the argument that aiohttp 3.14 asks for besides."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(*args, **{"stream_writer": Mock(output_size=0), **options})


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Answer the requests of every aiohttp session without a network."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", _Answer)
    with aioresponses.aioresponses() as answers:
        yield answers
