"""An event loop whose time passes only while everybody waits, and then at once."""

import asyncio
import functools
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from restream_async._util.clock import Clock

_P = ParamSpec("_P")


class _Leap(selectors.DefaultSelector):
    """Waits no time for files; the time is moved on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self.now += max(0.0, timeout)
        # Nobody here reads files; asking for them would only cost time.
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


def simulated(
    test: Callable[_P, Coroutine[Any, Any, None]],
) -> Callable[_P, None]:
    """Run a test in simulated time: an hour of waiting takes no time, and ends in order."""

    @functools.wraps(test)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


def simulated_clock(seed: int = 1) -> Clock:
    """Return the library's clock in simulated time."""
    chance = random.Random(seed)  # noqa: S311 - jitter, not a secret
    return Clock(
        now=now, cpu_time=lambda: 0.0, wall_clock=now, sleep=asyncio.sleep, random=chance.random
    )
