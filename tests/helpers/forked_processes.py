"""Other processes, forked from one that has imported everything already: quick to start."""

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.helpers.killed_processes"])


@attrs.frozen
class Other:
    """Another process, and what it says."""

    process: BaseProcess
    connection: "Connection[Any, Any]"

    @classmethod
    def start(cls, target: Callable[..., None], *arguments: object) -> Self:
        """Call `target` in another process, with a way to say something before its arguments."""
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=target, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def word(self) -> Any:  # noqa: ANN401 - whatever it says
        """Wait for what it says next; None when it has ended."""
        try:
            return self.connection.recv()
        except EOFError:
            return None

    def words(self) -> list[Any]:
        """Wait for its end, and return all that it has said."""
        said = list(iter(self.word, None))
        self.process.join()
        return said

    def end(self) -> int | None:
        """Kill it if it is still there; return its exit code."""
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.connection.close()
        return code


@asynccontextmanager
async def other(target: Callable[..., None], *arguments: object) -> AsyncGenerator[Other]:
    started = await asyncio.to_thread(Other.start, target, *arguments)
    try:
        yield started
    finally:
        await asyncio.to_thread(started.end)


async def words_of(target: Callable[..., None], *arguments: object) -> list[Any]:
    async with other(target, *arguments) as process:
        return await asyncio.to_thread(process.words)
