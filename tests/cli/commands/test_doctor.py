import json
import signal

import pytest

from restream_async.cli.doctor.examination import Examination
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import API_KEY, Cli


def test_a_healthy_service_is_a_line_for_each_check_and_exit_code_0(
    cli: Cli, sandbox: Sandbox
) -> None:
    end = cli("doctor", "--video", "v1")
    lines = end.out.splitlines()
    assert (end.code, end.err) == (0, "")
    assert lines[0] == (f"ok       settings: {sandbox.base_url}, project p1, API key ***")
    assert lines[-1] == "ok       list call: it shows 0 restreams of the video v1"
    assert len(lines) == 10
    assert sandbox.counts.posts == 0
    assert API_KEY not in end.out


def test_a_failed_check_is_exit_code_1(cli: Cli, settings: pytest.MonkeyPatch) -> None:
    del settings
    end = cli("doctor")
    assert end.code == 1
    assert "failed   TCP: no connection to 127.0.0.1 port 9 (Connection refused)\n" in end.out
    assert "         Check the host and the port in the base URL" in end.out
    assert "skipped  HTTP: TCP failed\n" in end.out


def test_json_has_all_checks(cli: Cli, sandbox: Sandbox) -> None:
    end = cli("doctor", "--json", "--auth-scheme", "Bearer")
    checks = json.loads(end.out)
    assert end.code == 0
    assert [each["check"] for each in checks][-2:] == ["clock", "list call"]
    assert {each["status"] for each in checks} == {"ok", "skipped"}
    assert checks[0]["detail"] == f"{sandbox.base_url}, project p1, API key Bearer ***"


def test_json_of_a_failure_has_what_to_do(cli: Cli, settings: pytest.MonkeyPatch) -> None:
    del settings
    end = cli("doctor", "--json")
    assert end.code == 1
    (failed,) = [each for each in json.loads(end.out) if each["status"] == "failed"]
    assert failed["check"] == "TCP"
    assert failed["advice"].startswith("Check the host")


@pytest.mark.parametrize("video", ["", "..", " v1"])
def test_a_video_id_that_cannot_stand_in_a_path_is_refused(
    cli: Cli, settings: pytest.MonkeyPatch, video: str
) -> None:
    del settings
    end = cli("doctor", "--video", video)
    assert end.code == 2
    assert end.err.startswith("Error: --video must not ")


def test_ctrl_c_ends_it(cli: Cli, settings: pytest.MonkeyPatch) -> None:
    async def press(_: Examination) -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    settings.setattr(Examination, "run", press)
    end = cli("doctor")
    assert (end.code, end.err) == (130, "Error: interrupted\n")
