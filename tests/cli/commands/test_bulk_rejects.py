"""`bulk --rejects` writes the lines that failed, to be corrected and run again."""

import csv
import io
import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from restream_async.cli.input.failed_lines import FailedLines
from restream_async.cli.input.formats import LineReader
from restream_async.cli.input.source import InputSource
from restream_async.cli.output.console import console_on
from restream_async.cli.output.rejects_file import RejectsFile
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    STREAM_KEY,
    Cli,
    csv_of,
    no_secrets,
    outcomes,
    row,
    sandbox_beside,
)

COUNT = 5
FAILING = Faults(before={Fault.INTERNAL_ERROR: 1})


@pytest.fixture
def rejects(tmp_path: Path) -> Path:
    return tmp_path / "rejects.csv"


def test_bad_lines_are_written_as_they_are_and_nothing_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path
) -> None:
    header = f"{HEADER};note".replace(",", ";")
    good = f"{row(1)};plain".replace(",", ";")
    split = f'{row(2, status="perhaps")};"a\n\nb"'.replace(",", ";")
    latin = f"{row(3)};Zürich".replace(",", ";").encode("latin-1")
    lines = [header.encode(), good.encode(), split.encode(), b"x", latin]
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    end = cli("bulk", file, "--rejects", rejects)
    assert end.code == 2
    assert rejects.read_bytes() == b"\xef\xbb\xbf" + b"\r\n".join([lines[0], *lines[2:]])
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert f"The bad lines are in {rejects}.\nError: 3 lines of {file} cannot be sent" in end.err
    assert sandbox.counts.posts == 0
    assert no_secrets(end.err)


def test_bad_json_lines_are_written_as_they_are(cli: Cli, tmp_path: Path) -> None:
    fields = dict(zip(HEADER.split(","), row(1).split(","), strict=True))
    good = json.dumps({**fields, "status": True})
    bad = json.dumps(fields, separators=(" , ", " : "))
    file, rejects = tmp_path / "in.jsonl", tmp_path / "rejects.jsonl"
    file.write_text(f"{good}\n\n{bad}\n{{\n{good}\n[]")
    assert cli("bulk", file, "--rejects", rejects, "--dry-run").code == 2
    assert rejects.read_text() == f"{bad}\n{{\n[]"


def test_lines_that_failed_can_be_corrected_and_run_alone(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path
) -> None:
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 0.5})
    file.write_text("\n".join([HEADER, *(f"{row(number)}" for number in range(1, 21))]))
    end = cli("bulk", file, "--rejects", rejects, "--attempts", "1")
    assert end.code == 1
    failed = {each["videoId"] for each in outcomes(end.out) if each["outcome"] == "failed"}
    done = {each.video_id for each in sandbox.stored}
    assert failed
    assert done
    written = list(csv.DictReader(io.StringIO(rejects.read_text())))
    assert [each["videoId"] for each in written] == sorted(failed, key=lambda video: int(video[1:]))
    assert end.err.endswith(
        f"Or correct the {len(failed)} lines that failed in a file of their own, and run it:\n"
        f"restream-async bulk --ensure {rejects}\n"
    )
    assert no_secrets(end.err, end.out)

    sandbox.faults = Faults()
    again = cli("bulk", "--ensure", rejects)
    assert again.code == 0
    assert len(sandbox.stored) == 20
    assert not sandbox.duplicates()
    assert failed | done == {each.video_id for each in sandbox.stored}


def test_one_line_that_failed_is_one(cli: Cli, sandbox: Sandbox, file: Path, rejects: Path) -> None:
    sandbox.faults = FAILING
    file.write_text(csv_of(1))
    end = cli("bulk", file, "--rejects", rejects, "--attempts", "1")
    assert "Or correct the line that failed in a file of its own, and run it:\n" in end.err
    rejects.unlink()
    end = cli("bulk", file, "--rejects", rejects, "--attempts", "1", "--auth-scheme", "Bearer")
    assert "in a file of its own, and run it, with the same connection options:\n" in end.err


def test_if_nothing_fails_there_are_no_rejects(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path
) -> None:
    end = cli("bulk", file, "--rejects", rejects)
    assert end.code == 0
    assert "correct" not in end.err
    assert not rejects.exists()
    rejects.write_text("old")
    assert cli("bulk", file, "--rejects", rejects, "--force").code == 0
    assert not rejects.exists()
    assert len(sandbox.stored) == COUNT


def test_what_may_exist_is_not_among_the_rejects(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path
) -> None:
    sandbox.faults = Faults(after={Fault.INTERNAL_ERROR: 1}, listing={Fault.INTERNAL_ERROR: 1})
    end = cli("bulk", file, "--rejects", rejects, "--attempts", "1", "--in-doubt", "raise")
    assert end.code == 1
    assert {each["outcome"] for each in outcomes(end.out)} == {"unknown"}
    assert not rejects.exists()


@pytest.mark.parametrize("wanted", [True, False])
def test_what_turns_out_to_exist_is_not_among_the_rejects(
    cli: Cli,
    settings: pytest.MonkeyPatch,
    file: Path,
    rejects: Path,
    *,
    wanted: bool,
) -> None:
    settings.setattr("restream_async._bulk.reconciliation.LATE_COMMIT_WAIT", 0.3)
    with sandbox_beside(faults=Faults(late=1.0, late_by=0.1)) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        end = cli("bulk", file, "--attempts", "1", *(["--rejects", rejects] if wanted else []))
        assert len(sandbox.stored) == COUNT
    assert "exists, although it was reported as failed" in end.err
    assert {each["outcome"] for each in outcomes(end.out)} == {"failed"}
    assert not rejects.exists()


def test_rejects_that_exist_are_kept_unless_forced(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path
) -> None:
    rejects.write_text("precious")
    end = cli("bulk", file, "--rejects", rejects)
    assert end.code == 2
    assert f"{rejects} exists already: pass --force" in end.err
    assert rejects.read_text() == "precious"
    assert sandbox.counts.posts == 0
    sandbox.faults = FAILING
    assert cli("bulk", file, "--rejects", rejects, "--force", "--attempts", "1").code == 1
    assert rejects.read_text() == csv_of(COUNT)


@pytest.mark.parametrize("role", ["input", "journal", "output"])
def test_the_rejects_are_a_file_of_their_own(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path, rejects: Path, role: str
) -> None:
    path = {"input": file, "journal": default_journal, "output": rejects}[role]
    end = cli("bulk", file, "--rejects", path, "--output", rejects, "--force")
    assert end.code == 2
    assert "are the same file, so nothing was sent" in end.err
    assert sandbox.counts.posts == 0
    assert file.read_text() == csv_of(COUNT)


def test_rejects_that_cannot_be_written_are_said(
    cli: Cli, sandbox: Sandbox, file: Path, rejects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:  # noqa: ANN401 - never returns
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RejectsFile, "_created", full)
    sandbox.faults = FAILING
    end = cli("bulk", file, "--rejects", rejects, "--attempts", "1")
    assert end.code == 1
    told = f"Error: the rejects {rejects} could not be written: no space left on device\n"
    assert end.err.endswith(told)
    file.write_text(f"{HEADER}\nx\n")
    end = cli("bulk", file, "--rejects", rejects)
    assert end.code == 2
    assert f"{told}Error: 1 line of" in end.err


def test_an_input_that_changes_before_it_is_copied_is_said(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(csv_of(2000))
    rejects = RejectsFile(tmp_path / "rejects.csv")
    with InputSource(str(file), console_on(io.StringIO())) as source, rejects:
        list(source.lines())
        failed = FailedLines(LineReader(source.name, "csv"), source.lines_again(), rejects)
        failed.add(2001)
        file.write_text(csv_of(1500))
        assert failed.copy() == (
            f"the rejects {rejects.path} are incomplete: {file} changed, or cannot be read any more"
        )


CELLS = st.text(st.sampled_from('ab,;"\n \u00e9'), max_size=4)


@given(
    rows=st.lists(st.tuples(CELLS, st.sampled_from(["created", "failed", "forgiven"])), max_size=8),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.booleans(),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_rejects_and_what_is_done_are_the_input(
    rows: list[tuple[str, str]], delimiter: str, end: str, *, blank: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow([*HEADER.split(","), "note"])
    for number, (note, _) in enumerate(rows):
        writer.writerow([f"v{number}", "T", "rtmp://h.example/app", STREAM_KEY, "1", note])
        text.write(end if blank else "")
    lines = text.getvalue().encode().splitlines(keepends=True)
    reader = LineReader("in", "csv")
    found = list(reader.read(lines))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rejects"
        with RejectsFile(path) as file:
            failed = FailedLines(reader, lines, file)
            # Items end in any order.
            for item, (_, end_) in reversed([*zip(found, rows, strict=True)]):
                if end_ != "created":
                    failed.add(item.line)
                if end_ == "forgiven":
                    failed.remove(item.line)
            assert failed.copy() == ""
        written = path.read_bytes() if path.exists() else b""
    expected = [item for item, (_, end_) in zip(found, rows, strict=True) if end_ == "failed"]
    again = list(LineReader("rejects", "csv").read(written.splitlines(keepends=True)))
    assert [each.restream for each in again] == [each.restream for each in expected]  # type: ignore[union-attr]
    assert (written == b"") is (expected == [])
