import importlib.util

import pytest

from restream_async.cli import event_loop
from tests.helpers.command_line import hide_modules


def test_without_uvloop_the_loop_is_that_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    async def name() -> str:
        import asyncio  # noqa: PLC0415

        return type(asyncio.get_running_loop()).__module__

    if importlib.util.find_spec("uvloop") is not None:
        assert event_loop.run_async(name()).startswith("uvloop")
    hide_modules(monkeypatch, "uvloop")
    assert event_loop.run_async(name()).startswith("asyncio")
