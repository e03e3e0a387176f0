import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from restream_async.cli.output.line_writer import LineWriter
from tests.helpers.command_line import wait_until

FULL = Path("/dev/full")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe: where to read, and where to write."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - the test closed it


async def test_lines_are_written_in_order_and_at_once(pipe: tuple[int, int]) -> None:
    async with LineWriter(pipe[1]) as writer:
        assert await writer.write("one")
        assert await asyncio.to_thread(os.read, pipe[0], 100) == b"one\n"
        for number in range(50):
            assert await writer.write(str(number))
    assert os.read(pipe[0], 1000).split() == [b"%d" % number for number in range(50)]
    assert (writer.error, writer.dropped) == (None, 0)


async def test_a_reader_that_pauses_holds_up_the_run_but_not_the_loop(
    pipe: tuple[int, int],
) -> None:
    line = "x" * 999
    async with LineWriter(pipe[1]) as writer:

        async def write() -> None:
            for _ in range(2000):
                await writer.write(line)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.1)
        assert not writing.done(), "the pipe is full, and so is the queue"

        got = 0
        while got < 2000 * 1000:
            got += len(await asyncio.to_thread(os.read, pipe[0], 65536))
        await writing


async def test_when_the_reader_has_gone_it_says_so_and_drops_the_rest(
    pipe: tuple[int, int],
) -> None:
    os.close(pipe[0])
    async with LineWriter(pipe[1]) as writer:
        told = [await writer.write("nobody reads this")]
        await asyncio.to_thread(wait_until, lambda: writer.error)
        told += [await writer.write("nor this") for _ in range(3000)]
    assert told[-1] is False
    assert isinstance(writer.error, BrokenPipeError)
    assert writer.dropped == 3001


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a disk that is always full")
async def test_a_full_disk_is_noticed() -> None:
    descriptor = os.open(FULL, os.O_WRONLY)
    async with LineWriter(descriptor) as writer:
        await writer.write("no room for this")
    os.close(descriptor)
    assert writer.error is not None
    assert writer.error.errno == errno.ENOSPC
    assert writer.dropped == 1


def test_one_that_is_abandoned_is_not_waited_for(pipe: tuple[int, int]) -> None:
    writers: list[LineWriter] = []

    async def run() -> None:
        async with LineWriter(pipe[1]) as writer:
            writers.append(writer)
            await writer.write("x" * 1_000_000)
            writer.abandon()

    asyncio.run(run())
    # The loop is closed, and the thread must still end without an error.
    got = 0
    while got < 1_000_001:
        got += len(os.read(pipe[0], 65536))
    wait_until(lambda: "outcomes" not in {thread.name for thread in threading.enumerate()})
    assert writers[0].error is None
