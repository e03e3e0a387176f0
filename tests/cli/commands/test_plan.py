import json
from pathlib import Path

import pytest

from restream_async.cli import main
from restream_async.cli.commands.wanted_run import WantedInput
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    STREAM_KEY,
    STREAM_URL,
    Cli,
    at_once,
    csv_of,
    interrupt_when,
    no_secrets,
    plain,
    pseudo_terminal,
    row,
)

HOST = "live.example.com"


@pytest.fixture
def created(cli: Cli, sandbox: Sandbox, file: Path) -> Path:
    """Create the restreams of an input, and return it."""
    assert cli("bulk", file, "--no-journal", "--max-in-flight", "1").code == 0
    assert len(sandbox.stored) == 3
    return file


def test_plan_shows_what_is_to_be_created_and_changes_nothing(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    end = cli("plan", file)
    assert end.code == 3
    assert end.out == (
        f"v1\n  + create    Title 1  {HOST}\n"
        f"v2\n  + create    Title 2  {HOST}\n"
        f"v3\n  + create    Title 3  {HOST}\n"
        "3 videos: 3 to create\n"
    )
    assert end.err == ""
    assert not sandbox.stored
    assert (sandbox.counts.lists, sandbox.counts.posts) == (3, 0)
    assert not Path(f"{file}.journal").exists()


def test_a_plan_that_is_in_sync_says_so_and_exits_with_0(cli: Cli, created: Path) -> None:
    end = cli("plan", created)
    assert (end.code, end.out) == (0, "✓ 3 videos are in sync: 3 unchanged\n")


def test_one_video_that_is_in_sync(cli: Cli, created: Path) -> None:
    created.write_text(csv_of(1))
    assert cli("plan", created).out == "✓ 1 video is in sync: 1 unchanged\n"


def test_a_new_status_is_a_change(cli: Cli, created: Path) -> None:
    created.write_text(f"{HEADER}\n{row(1, status='off')}\n")
    end = cli("plan", created)
    assert end.code == 3
    assert f"~ disable   Title 1  {HOST}  id 1\n1 video: 1 to disable\n" in end.out


def test_another_key_needs_an_option(cli: Cli, created: Path) -> None:
    created.write_text(csv_of(1).replace(f"{STREAM_KEY}-1", "a-new-key"))
    end = cli("plan", created)
    assert end.code == 3
    assert "± rotate    Title 1" in end.out
    assert "needs --rotate" in end.out
    assert end.out.endswith(
        "1 video: 1 needs --rotate\n        1  with another stream key: --rotate replaces it\n"
    )
    assert "a-new-key" not in end.out
    end = cli("plan", created, "--rotate")
    assert end.code == 3
    assert end.out.endswith("1 video: 1 to rotate\n")


def test_extra_restreams_count_only_if_they_are_to_be_deleted(cli: Cli, created: Path) -> None:
    created.write_text(csv_of(1).replace("Title 1", "Other").replace(f"{STREAM_KEY}-1", "other"))
    cli("apply", created, "--yes", "--no-journal")
    end = cli("plan", created)
    assert end.code == 0
    assert f"- delete    Title 1  {HOST}  id 1  extra, needs --prune\n" in end.out
    assert end.out.endswith(
        "✓ 1 video is in sync: 1 extra, 1 unchanged\n"
        "        1  not in the input: --prune deletes such restreams\n"
    )
    end = cli("plan", created, "--prune")
    assert end.code == 3
    assert end.out.endswith("1 video: 1 to delete, 1 unchanged\n")


def test_a_title_that_differs_is_said_and_is_no_change(cli: Cli, created: Path) -> None:
    created.write_text(csv_of(1).replace("Title 1", "New title"))
    end = cli("plan", created)
    assert end.code == 0
    assert f"= keep      New title  {HOST}  id 1  title differs: Title 1\n" in end.out
    assert "1  with another title: the service has no call that changes a title" in end.out


def test_a_video_that_cannot_be_read_is_said(cli: Cli, created: Path, sandbox: Sandbox) -> None:
    sandbox.faults = Faults(listing={Fault.INTERNAL_ERROR: 1.0})
    end = cli("plan", created, "--attempts", "1")
    assert end.code == 1
    assert "v1\n  ✗ not read  1 restream\n              500 Internal Server Error\n" in end.out
    assert (
        "✗ 3 videos: 3 not read\nNot read:\n"
        "        3  InternalServerError, such as: 500 Internal Server Error: GET "
    ) in end.out


def test_a_service_that_is_out_is_said(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    sandbox.outage = True
    end = cli("plan", file, "--patience", "0.2", "--attempts", "2")
    assert end.code == 1
    assert "✗ 3 videos: 3 not read" in end.out
    assert "Error: no request to the service succeeds (" in end.err


@pytest.mark.parametrize("options", [["plan"], ["apply", "--yes", "--no-journal"]])
def test_one_video_that_cannot_be_read_is_no_outage(
    cli: Cli, created: Path, sandbox: Sandbox, options: list[str]
) -> None:
    sandbox.fail_next(500, call="list", video_id="v3")
    end = cli(*options, created, "--attempts", "1", "--max-in-flight", "1")
    assert end.code == 1
    assert "1 not read" in end.out
    assert "500 Internal Server Error" in end.out
    assert "no request to the service succeeds" not in end.err


def test_a_wrong_key_ends_the_plan_with_advice(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    file.write_text(csv_of(50))
    settings.setenv("RESTREAM_API_KEY", "wrong")
    end = cli("plan", file, "--max-in-flight", "1")
    assert end.code == 2
    assert "401" in end.err
    assert "check the API key (RESTREAM_API_KEY or --api-key-file)" in end.err
    assert end.out.endswith("✗ 50 videos: 50 not read\n"), "the reason is said once"
    assert sandbox.counts.lists < 20


def test_lines_that_contradict_each_other_are_found_before_anything_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    file.write_text("\n".join([HEADER, row(1), row(2), row(1, status="off"), row(2)]))
    end = cli("plan", file)
    assert end.code == 2
    assert end.err == (
        f"{file}:4: contradicts line 2: it has the same videoId, streamUrl and streamKey, but "
        f"another status\nError: 1 line of {file} cannot be sent, so nothing was sent: correct it "
        "and run the same command again\n"
    )
    assert sandbox.counts.lists == 0


def test_json_has_a_line_for_each_change_and_the_totals_are_a_message(
    cli: Cli, created: Path
) -> None:
    created.write_text(csv_of(4))
    end = cli("plan", created, "--json")
    assert end.code == 3
    lines = [json.loads(line) for line in end.out.splitlines()]
    assert [(line["action"], line["videoId"]) for line in lines] == [
        ("keep", "v1"),
        ("keep", "v2"),
        ("keep", "v3"),
        ("create", "v4"),
    ]
    assert end.err == "4 videos: 1 to create, 3 unchanged\n"
    assert no_secrets(end.out, end.err)


def test_json_that_cannot_be_written_stops_the_plan(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    file.write_text(csv_of(500))
    cli.out_file = Path("/dev/full")
    end = cli("plan", file, "--json", "--max-in-flight", "1")
    assert end.code == 1
    assert sandbox.counts.lists < 500
    assert "could not be written to standard output: no space left on device" in end.err


def test_a_table_that_cannot_be_written_is_an_error(cli: Cli, created: Path) -> None:
    cli.out_file = Path("/dev/full")
    end = cli("plan", created)
    assert end.code == 1
    assert "Error: standard output could not be written: no space left on device" in end.err


def test_ctrl_c_ends_a_plan(cli: Cli, slow_sandbox: Sandbox, file: Path) -> None:
    file.write_text(csv_of(100))

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 2):
        end = cli("plan", file, "--max-in-flight", "2")
    assert end.code == 130
    assert "Stopping: requests in flight are finished first. Ctrl-C again stops at once." in end.err
    assert "100 videos: 2 to create, 98 not read\n" in end.out


def test_a_second_ctrl_c_ends_a_plan_at_once(cli: Cli, slow_sandbox: Sandbox, file: Path) -> None:
    slow_sandbox.latency = 60

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 3, cli.says_stopping):
        end = cli("plan", file, "--json")
    assert end.code == 130
    assert end.err.endswith("3 videos: nothing read\n")


def test_an_input_that_changes_after_its_check_ends_the_plan(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = WantedInput.__iter__

    def changed(wanted: WantedInput) -> object:
        file.write_text(csv_of(2))
        return original(wanted)

    monkeypatch.setattr(WantedInput, "__iter__", changed)
    end = cli("plan", file)
    assert end.code == 2
    assert f"Error: {file} changed while it was being sent: nothing from line 1 on" in end.err
    assert sandbox.counts.lists == 0


def test_videos_and_destinations(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox
    monkeypatch.setenv("KEY", STREAM_KEY)
    destinations = tmp_path / "destinations.toml"
    destinations.write_text(
        f'[[destinations]]\ntitle = "T"\nstream_url = "{STREAM_URL}"\nstream_key_env = "KEY"\n'
    )
    videos = tmp_path / "videos"
    videos.write_text("v1\nv2\n")
    end = cli("plan", videos, "--destinations", destinations)
    assert end.code == 3
    assert end.out.endswith("2 videos: 2 to create\n")
    assert no_secrets(end.out)


def test_a_terminal_shows_how_many_videos_are_read(
    slow_sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del slow_sandbox
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["plan", str(file)]) == 3
    shown = screen()
    assert "Reading: 0 of 3 videos" in shown
    assert "3 videos: 3 to create" in plain(shown)


def test_a_terminal_says_why_it_waits(
    settings: pytest.MonkeyPatch, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.setenv("COLUMNS", "300")
    monkeypatch.setattr("restream_async.cli.output.video_progress._EVERY", 0.01)
    with (
        pseudo_terminal(monkeypatch) as screen,
        interrupt_when(lambda: "waiting for it to recover" in screen()),
    ):
        code = main(["plan", str(file)])
    assert code == 130
    assert "Reading: 0 of 3 videos; the service was never reached (" in plain(screen())
