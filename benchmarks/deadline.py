"""A time limit for programs, so that no benchmark hangs."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(program: Coroutine[Any, Any, _T], seconds: float) -> _T:
    """Run a program with a time limit.

    Raises:
        TimeoutError: it is not done after so many seconds.

    """

    async def in_time() -> _T:
        end = asyncio.timeout(seconds)
        try:
            async with end:
                return await program
        except TimeoutError:
            if end.expired():
                raise TimeoutError(f"not done after {seconds:g} s") from None
            raise

    return asyncio.run(in_time())
