import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.output.outcome_file import OutcomeFile


async def written(path: Path | None, *, force: bool = False) -> None:
    """Open an output, and close it again."""
    async with contextlib.AsyncExitStack() as stack:
        await OutcomeFile(path, force=force).open(stack, None)


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
        descriptor = await OutcomeFile(path, force=True).open(stack, None)
        os.write(descriptor, b"precious")
        with pytest.raises(
            CliError,
            match=f"{path} is being written by another run: wait until" if force else "exists",
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
        assert OutcomeFile(path, force=False).leads_to(file.fileno())
        other.touch()
        assert not OutcomeFile(other, force=False).leads_to(file.fileno())
        assert not OutcomeFile(tmp_path / "three", force=False).leads_to(file.fileno())
