"""`bulk --dry-run` says what a run would do, and changes nothing."""

from collections import Counter
from pathlib import Path

import pytest

from restream_async.cli import main
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    Cli,
    csv_of,
    outcomes,
    plain,
    pseudo_terminal,
    row,
)
from tests.helpers.journal_disk import content, query

COUNT = 3
SETTINGS = ("RESTREAM_BASE_URL", "RESTREAM_PROJECT_ID", "RESTREAM_API_KEY")


def said(text: str) -> dict[str, int]:
    """Return the numbers of a dry run, by the first three words of what they count."""
    lines = [line.split() for line in text.splitlines() if line.startswith("  ")]
    return {" ".join(words[:3]): int(number.replace(",", "")) for number, *words in lines}


def test_without_settings_and_a_journal_it_counts_new_restreams_and_repeats(
    cli: Cli, file: Path, default_journal: Path
) -> None:
    file.write_text(f"{csv_of(COUNT)}{row(1)}\n")
    for options in ([], ["--no-journal"]):
        end = cli("bulk", file, "--dry-run", *options)
        assert (end.code, end.out) == (0, "")
        assert said(end.err) == {"would be created": 3, "equal to another": 1}
        assert "4 restreams for 3 live videos. All lines are good; nothing was sent" in end.err
    assert not default_journal.exists()


@pytest.mark.parametrize(
    "options", [[], ["--no-journal"], ["--repeats", "create"], ["--ensure"]], ids=" ".join
)
def test_a_run_does_what_the_dry_run_has_said(
    cli: Cli, sandbox: Sandbox, file: Path, options: list[str]
) -> None:
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 0.4})
    lines = [row(number) for number in (1, 2, 2, 3, 4, 5, 5, 5, 6)]
    file.write_text("\n".join([HEADER, *lines]))
    cli("bulk", file, "--attempts", "1", "-q")
    sandbox.faults = Faults()
    file.write_text("\n".join([HEADER, *lines, row(7), row(7), row(1)]))
    before = sandbox.counts.posts

    told = said(cli("bulk", file, "--dry-run", *options).err)
    assert sandbox.counts.posts == before
    end = cli("bulk", file, *options)

    found = Counter((each["outcome"], each["origin"]) for each in outcomes(end.out))
    created = found["created", "posted"]
    assert sum(found.values()) == 12
    if options == ["--ensure"]:
        assert told["would be checked"] + told["equal to another"] == 12
        assert created <= told["would be checked"]
    else:
        # What is checked may exist or not.
        checked = created - told["would be created"]
        checked += found["existing", "existing"] - told.get("equal to another", 0)
        assert checked == told.get("would be checked", 0)
        assert created >= told["would be created"]
        assert found["existing", "journal"] == told.get("done, according to", 0)


def test_it_says_what_the_journal_has_and_leaves_it_as_it_is(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path
) -> None:
    assert cli("bulk", file).code == 0
    file.write_text(csv_of(COUNT + 2))
    before = content(default_journal)
    end = cli("bulk", file, "--dry-run")
    assert end.code == 0
    assert said(end.err) == {"would be created": 2, "done, according to": COUNT}
    assert end.err.endswith(f"Journal: {default_journal}\n")
    assert content(default_journal) == before
    assert [*file.parent.glob("*journal*")] == [default_journal]
    assert sandbox.counts.posts == COUNT
    assert said(cli("bulk", file, "--dry-run", "--no-journal").err) == {
        "would be created": COUNT + 2
    }


def test_it_says_what_a_killed_run_has_left_to_be_checked(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path
) -> None:
    assert cli("bulk", file).code == 0
    query(
        default_journal,
        "UPDATE creation SET state = 'intended' WHERE fingerprint ="
        " (SELECT min(fingerprint) FROM creation)",
    )
    end = cli("bulk", file, "--dry-run")
    assert "1  would be checked at the service first: an earlier run was interrupted" in end.err
    assert f"{COUNT - 1}  done, according to the journal" in end.err
    assert sandbox.counts.posts == COUNT


def test_the_settings_are_needed_only_if_there_is_a_journal(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    del sandbox
    assert cli("bulk", file, "-q").code == 0
    for name in SETTINGS:
        settings.delenv(name)
    end = cli("bulk", file, "--dry-run")
    assert end.code == 2
    assert "the service is not configured: set RESTREAM_BASE_URL" in end.err
    assert end.err.endswith("To check the input without its journal, pass --no-journal\n")
    assert cli("bulk", file, "--dry-run", "--no-journal").code == 0


def test_settings_that_cannot_be_right_are_named(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cli("bulk", file, "-q").code == 0
    settings.setenv("RESTREAM_BASE_URL", "nowhere")
    end = cli("bulk", file, "--dry-run")
    assert end.code == 2
    assert "the base URL must have a scheme and a host" in end.err
    key = tmp_path / "key"
    key.write_text(sandbox.api_key)
    settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
    settings.delenv("RESTREAM_API_KEY")
    assert cli("bulk", file, "--dry-run", "--api-key-file", key).code == 0


def test_a_journal_of_others_is_said_with_the_options_that_help(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    del sandbox
    assert cli("bulk", file, "-q").code == 0
    settings.setenv("RESTREAM_API_KEY", "another-key")
    end = cli("bulk", file, "--dry-run")
    assert end.code == 2
    assert "was begun with another API key" in end.err
    assert "name another journal (--journal PATH)" in end.err


def test_no_file_has_two_roles_in_a_dry_run(cli: Cli, file: Path) -> None:
    end = cli("bulk", file, "--dry-run", "--journal", file)
    assert end.code == 2
    assert "are the same file, so nothing was sent" in end.err


@pytest.mark.parametrize("width", [80, 40])
def test_on_a_terminal_nothing_is_cut(
    file: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    del sandbox
    monkeypatch.setenv("COLUMNS", str(width))
    file.write_text("\n".join([HEADER, row(1), row(1), row(2).replace("v2", "#NAME?")]))
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file), "--dry-run"]) == 0
    lines = plain(screen()).splitlines()
    text = " ".join(" ".join(lines).split())
    assert max(map(len, [line for line in lines if str(file) not in line])) <= width
    assert "2 would be created 1 equal to another line, and would be reported as" in text
    assert "videoId is an error value of a spreadsheet, such as #NAME?: take the original" in text
