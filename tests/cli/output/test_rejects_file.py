import os
import resource
import stat
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import FileRole
from restream_async.cli.output.rejects_file import RejectsFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rejects.csv"


def problem(file: RejectsFile) -> str:
    with pytest.raises(CliError) as caught:
        file.check()
    return str(caught.value)


def test_records_stand_below_the_header_in_a_file_of_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with RejectsFile(path) as file:
            file.check()
            assert not path.exists()
            file.write(b"a,b\r\n", [b'1,"x\n', b'y"\n'])
            file.write(b"a,b\r\n", [b"2,3"])
            assert file.finish() == ""
            assert file.count == 2
    finally:
        os.umask(before)
    assert path.read_bytes() == b'a,b\r\n1,"x\ny"\n2,3'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.roles == [FileRole.of_path(f"the rejects {path}", path)]


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    with RejectsFile(force=True) as file:
        file.check()
        file.write(b"a\n", [b"1\n"])
        assert file.finish() == ""
        assert (file.count, file.roles) == (0, [])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_replaced_only_if_forced(path: Path, tmp_path: Path) -> None:
    path.write_text("precious")
    assert problem(RejectsFile(path)) == (
        f"{path} exists already: pass --force to overwrite it, or name another file for --rejects"
    )
    path.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(path)
    with RejectsFile(link, force=True) as file:
        file.check()
        file.write(b"", [b"{}\n"])
    assert path.read_text() == "precious", "the link was replaced, not its target"
    assert link.read_bytes() == b"{}\n"
    assert stat.S_IMODE(link.lstat().st_mode) == 0o600


def test_the_rejects_of_an_earlier_command_do_not_stay_if_nothing_fails(path: Path) -> None:
    path.write_text("old")
    with RejectsFile(path, force=True) as file:
        assert path.exists()
        assert file.finish() == ""
    assert not path.exists()
    with RejectsFile(path, force=True) as file:
        assert file.finish() == ""


def test_what_can_be_no_file_is_refused(tmp_path: Path) -> None:
    assert problem(RejectsFile(Path("-"))) == (
        "--rejects needs a file, not a standard stream: name a file"
    )
    for other in (tmp_path, Path(os.devnull)):
        assert problem(RejectsFile(other, force=True)) == (
            f"{other} is no file: name another file for --rejects"
        )
    nowhere = tmp_path / "nowhere" / "rejects.csv"
    assert problem(RejectsFile(nowhere)) == (
        f"cannot write {nowhere}: make sure that its folder exists and that you can write to it"
    )


def test_what_another_program_has_created_meanwhile_is_kept(path: Path) -> None:
    with RejectsFile(path) as file:
        file.check()
        path.write_text("precious")
        file.write(b"a\n", [b"1\n"])
        file.write(b"a\n", [b"2\n"])
        assert file.finish() == f"the rejects {path} could not be written: file exists"
    assert path.read_text() == "precious"


def test_a_full_disk_is_said(path: Path) -> None:
    # Python ignores the signal that comes with this error.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RejectsFile(path) as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            file.write(b"a\n", [b"1" * 100])
            told = file.finish()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told == f"the rejects {path} could not be written: file too large"
