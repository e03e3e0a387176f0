"""A gzip file is read as its content, has its own journal, and is never sent in part."""

import gzip
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, csv_of, outcomes

COUNT = 5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "input.csv.gz"
    path.write_bytes(gzip.compress(csv_of(COUNT).encode()))
    return path


def test_all_restreams_of_a_gzip_file_are_created_once(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    first = cli("bulk", file)
    assert (first.code, sandbox.counts.posts) == (0, COUNT)
    assert [each["line"] for each in outcomes(first.out)] == [2, 3, 4, 5, 6]
    assert file.with_name("input.csv.gz.journal").exists()
    # Compressed again, with the same lines and two new ones.
    file.write_bytes(gzip.compress(csv_of(COUNT + 2).encode(), compresslevel=1))
    assert cli("bulk", file).code == 0
    assert sandbox.counts.posts == COUNT + 2


def test_tab_separated_lines_are_read_too(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "input.tsv"
    file.write_text(csv_of(COUNT).replace(",", "\t"))
    assert cli("bulk", file).code == 0
    assert sandbox.counts.posts == COUNT


def test_nothing_of_an_incomplete_gzip_file_is_sent(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4])
    end = cli("bulk", file)
    assert (end.code, sandbox.counts.posts) == (2, 0)
    assert end.err == (
        f"Error: cannot read {file}: the file is incomplete: its gzip data end in the middle\n"
    )
