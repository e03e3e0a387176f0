from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client_fixtures import (
    _cheap_collection,  # pyright: ignore[reportPrivateUsage] - autouse
    _nothing_left,  # pyright: ignore[reportPrivateUsage] - autouse
    clock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["_cheap_collection", "_nothing_left", "clock", "full_port"]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel answers nobody any more."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
