import json
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import (
    Cli,
    csv_of,
    meanwhile,
    outcomes,
    run_in_shell,
    sandbox_beside,
    wait_until,
)

COUNT = 5


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_a_name_of_standard_output_is_standard_output(
    cli: Cli, sandbox: Sandbox, file: Path, name: str
) -> None:
    end = cli("bulk", file, "--output", name)
    assert end.code == 0, end.err
    assert end.out.count('"outcome": "created"') == len(sandbox.stored) == COUNT
    assert name not in end.err


def test_a_second_run_leaves_the_output_of_the_first_alone(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, default_journal: Path, tmp_path: Path
) -> None:
    output = tmp_path / "outcomes.jsonl"
    command = ["bulk", str(file), "--output", str(output), "--max-in-flight", "1"]
    file.write_text(csv_of(12))
    with sandbox_beside(latency=0.1) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        codes: list[int] = []
        with meanwhile(lambda: codes.append(run_in_shell(sandbox, command).returncode)):
            wait_until(lambda: output.exists() and output.read_text().count("\n") > 2)
            end = cli(*command)
            assert end.code == 2
            assert f"the journal {default_journal} is in use by another run" in end.err
            assert cli(*command, "--force").code == 2
        assert codes == [0]
        assert len(outcomes(output.read_text())) == len(sandbox.stored) == 12


def test_a_resumed_run_replaces_its_own_outcomes_and_nothing_else(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    output, other = tmp_path / "outcomes.jsonl", tmp_path / "other.jsonl"
    assert cli("bulk", file, "--output", output).code == 0
    assert cli("bulk", file, "--output", output).code == 0
    assert {each["origin"] for each in outcomes(output.read_text())} == {"journal"}
    other.write_text(output.read_text())
    end = cli("bulk", file, "--output", other)
    assert end.code == 2
    assert f"{other} exists already: pass --force" in end.err
    assert len(outcomes(other.read_text())) == COUNT
    assert cli("bulk", file, "--output", other, "--force").code == 0
    assert cli("bulk", file, "--output", other).code == 0
    assert sandbox.counts.posts == COUNT


@pytest.mark.parametrize("text", ["precious", '{"line": 1}', "[1]", "\xff"])
def test_what_took_the_place_of_the_outcomes_is_kept(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path, text: str
) -> None:
    output = tmp_path / "outcomes.jsonl"
    assert cli("bulk", file, "--output", output).code == 0
    output.write_text(text, encoding="latin-1")
    assert cli("bulk", file, "--output", output).code == 2
    assert output.read_text(encoding="latin-1") == text
    output.write_text("")
    assert cli("bulk", file, "--output", output).code == 0
    output.unlink()
    assert cli("bulk", file, "--output", output).code == 0
    assert sandbox.counts.posts == COUNT


def test_an_output_that_cannot_be_opened_means_that_nothing_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    end = cli("bulk", file, "--output", tmp_path / "nowhere" / "outcomes.jsonl")
    assert end.code == 2
    assert "cannot write" in end.err
    assert sandbox.counts.posts == 0
    assert cli("bulk", file).code == 0, "the journal was closed again"


def test_outcomes_name_what_the_service_has_otherwise(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    assert cli("bulk", file, "--no-journal").code == 0
    file.write_text(csv_of(COUNT + 4).replace("Title 1,", "Another title,"))
    end = cli("bulk", file, "--no-journal", "--ensure")
    assert end.code == 0
    first, *others = outcomes(end.out)
    assert (first["title"], first["differences"]) == ("Title 1", ["title"])
    assert (first["outcome"], first["origin"]) == ("existing", "existing")
    assert not any(each["differences"] for each in others)
    assert f"✓ 4 restreams created, {COUNT} existed already, in" in end.err
    assert "1  with another title or status than requested: see `differences`" in end.err
    assert json.loads(end.out.splitlines()[0])
    assert len(sandbox.stored) == COUNT + 4
