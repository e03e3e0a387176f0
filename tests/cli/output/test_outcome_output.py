import asyncio
import contextlib
import errno
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from restream_async import (
    BackendFetchFailedError,
    Created,
    Failed,
    JournalError,
    NewRestream,
    Origin,
    OutageError,
    OutcomeUnknownError,
    Restream,
    RestreamError,
    TransportError,
)
from restream_async.cli.errors import CliError
from restream_async.cli.output.outcome_output import LineWriter, Output, outcome_line
from restream_async.errors import Call, NotSentError
from tests.helpers.command_line import STREAM_KEY, STREAM_URL, wait_until

NEW = NewRestream(
    video_id="v1",
    title="Café ☕",
    stream_url=STREAM_URL,
    stream_key=STREAM_KEY,
    status=True,
)
FULL = Path("/dev/full")
CALL = Call("POST", "/api/v1/p1/restreams", "v1")


def created(restream_id: int | str = 7) -> Created:
    restream = Restream(
        id=restream_id,
        title="what the service made of it",
        stream_key=STREAM_KEY,
        stream_url=STREAM_URL,
        status=False,
        video_id="v1",
    )
    return Created(
        index=4,
        request=NEW,
        restream=restream,
        attempts=2,
        origin=Origin.CONFIRMED,
        maybe_duplicate=True,
    )


def test_the_line_of_a_created_one_says_what_the_service_has_but_no_secrets() -> None:
    assert json.loads(outcome_line(created(), 6)) == {
        "line": 6,
        "index": 4,
        "outcome": "created",
        "id": 7,
        "videoId": "v1",
        "title": "what the service made of it",
        "status": False,
        "differences": ["title", "status"],
        "origin": "confirmed",
        "attempts": 2,
        "maybeDuplicate": True,
    }


@pytest.mark.parametrize(
    ("origin", "word"),
    [
        (Origin.POSTED, "created"),
        (Origin.CONFIRMED, "created"),
        (Origin.EXISTING, "existing"),
        (Origin.JOURNAL, "existing"),
    ],
)
def test_a_line_says_whether_it_was_created_or_was_there(origin: Origin, word: str) -> None:
    line = outcome_line(attrs.evolve(created(), origin=origin), 6)
    assert json.loads(line)["outcome"] == word


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (NotSentError(CALL, detail="told to end", sent=False), "not_sent"),
        (JournalError("is on a disk that is full"), "not_sent"),
        (OutageError(CALL), "not_sent"),
        (OutcomeUnknownError(CALL, doubt=TransportError(CALL, detail="x", sent=True)), "unknown"),
        (TransportError(CALL, detail="no route", sent=False), "failed"),
    ],
)
def test_a_line_says_whether_it_failed_or_nobody_knows_or_it_was_not_sent(
    error: RestreamError, word: str
) -> None:
    line = outcome_line(Failed(index=4, request=NEW, error=error, attempts=0), 6)
    assert json.loads(line)["outcome"] == word


def test_the_line_of_a_failed_one_says_why() -> None:
    error = BackendFetchFailedError(CALL, status=503, reason="Backend fetch failed", attempts=5)
    failed = Failed(index=4, request=NEW, error=error, attempts=5)
    assert json.loads(outcome_line(failed, 6)) == {
        "line": 6,
        "index": 4,
        "outcome": "failed",
        "videoId": "v1",
        "title": "Café ☕",
        "errorType": "BackendFetchFailedError",
        "error": str(error),
        "attempts": 5,
        "httpStatus": 503,
    }


def test_an_error_without_a_status_has_none_in_its_line() -> None:
    error = TransportError(CALL, detail="no route", sent=False)
    line = outcome_line(Failed(index=0, request=NEW, error=error, attempts=1), 2)
    assert "httpStatus" not in json.loads(line)


def test_a_line_is_one_line_of_plain_ascii() -> None:
    line = outcome_line(created("\x1b[2J\u2028\n"), 1)
    assert line.isascii()
    assert line.isprintable()


async def written(path: Path | None, *, force: bool = False) -> None:
    """Open an output, and close it again."""
    async with contextlib.AsyncExitStack() as stack:
        await Output(path, force=force).open(stack, None)


async def test_a_new_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_that_is_there_is_overwritten_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("precious")
    with pytest.raises(CliError, match="exists already: pass --force"):
        await written(path)
    assert path.read_text() == "precious"
    await written(path, force=True)
    assert not path.read_text()


@pytest.mark.parametrize("force", [False, True])
async def test_a_file_that_another_run_writes_is_refused_and_left_as_it_is(
    tmp_path: Path, *, force: bool
) -> None:
    path = tmp_path / "out.jsonl"
    path.touch()
    async with contextlib.AsyncExitStack() as stack:
        descriptor = await Output(path, force=True).open(stack, None)
        os.write(descriptor, b"precious")
        with pytest.raises(
            CliError,
            match=f"{path} is being written by another run: wait for" if force else "exists",
        ):
            await written(path, force=force)
        assert path.read_text() == "precious"
    await written(path, force=True)
    assert not path.read_text()


async def test_where_files_cannot_be_locked_they_are_written_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    await written(tmp_path / "out.jsonl")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    await written(tmp_path / "other.jsonl")


async def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "out.jsonl"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CliError, match=r"cannot write .*: file exists"):
        await written(link)
    assert not (tmp_path / "elsewhere").exists()


async def test_a_device_needs_no_force() -> None:
    await written(Path(os.devnull))


async def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot write .*: no such file or directory"):
        await written(tmp_path / "nowhere" / "out.jsonl")


def test_an_output_knows_where_it_leads_to(tmp_path: Path) -> None:
    path, other = tmp_path / "one", tmp_path / "two"
    with path.open("w") as file:
        assert Output(path, force=False).leads_to(file.fileno())
        other.touch()
        assert not Output(other, force=False).leads_to(file.fileno())
        assert not Output(tmp_path / "three", force=False).leads_to(file.fileno())


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


async def test_when_nobody_reads_any_more_it_says_so_and_drops_the_rest(
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
    # The loop is gone; the thread must end without a complaint all the same.
    got = 0
    while got < 1_000_001:
        got += len(os.read(pipe[0], 65536))
    wait_until(lambda: "outcomes" not in {thread.name for thread in threading.enumerate()})
    assert writers[0].error is None
