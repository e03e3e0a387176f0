"""Plan and apply with real processes: the sandbox of the command line, and the command line."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from benchmarks.apply_kill9 import kill_again_and_again
from tests.helpers.command_line import Cli

PROGRAM = [sys.executable, "-m", "restream_async.cli"]
VIDEOS = 50
DESTINATIONS = """\
[[destinations]]
title = "YouTube"
stream_url = "rtmps://a.rtmps.youtube.com/live2"
stream_key_column = "youtube"

[[destinations]]
title = "Twitch"
stream_url = "rtmp://live.twitch.tv/app"
stream_key_column = "twitch"

[[destinations]]
title = "Own"
stream_url = "rtmp://media.example.com/live"
stream_key_column = "own"
"""


@attrs.define
class Shell:
    """Runs commands in a folder, beside a sandbox that is a process of its own."""

    folder: Path
    environment: dict[str, str]
    said: str = ""
    sandbox_said: str = ""

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Return the exit code, and the last lines on standard output."""
        end = subprocess.run(  # noqa: S603 - our own
            [*PROGRAM, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = end.stdout
        assert "key-" not in end.stdout + end.stderr
        assert "Traceback" not in end.stderr
        return end.returncode, end.stdout.splitlines()

    def write(self, *, status: str = "true", first_key: str = "key-of-youtube-0") -> None:
        """Write the videos and the destinations that are wanted."""
        rows = [f"v{n},key-of-youtube-{n},key-of-twitch-{n},key-of-own-{n}" for n in range(VIDEOS)]
        rows[0] = rows[0].replace("key-of-youtube-0", first_key)
        (self.folder / "videos.csv").write_text("\n".join(["videoId,youtube,twitch,own", *rows]))
        (self.folder / "destinations.toml").write_text(f"{DESTINATIONS}status = {status}\n")


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    """Run a sandbox that fails on purpose; keep what it says when it is closed."""
    unwanted = ("RESTREAM_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    with subprocess.Popen(  # noqa: S603 - our own
        [*PROGRAM, "sandbox", "--port", "0", "--faults", "demo", "--seed", "1"],
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        exports = [process.stdout.readline() for _ in range(3)]
        settings = dict(line.strip().removeprefix("export ").split("=", 1) for line in exports)
        shell = Shell(tmp_path, {**kept, **settings})
        yield shell
        process.send_signal(signal.SIGTERM)
        _, shell.sandbox_said = process.communicate(timeout=20)
    # The sandbox's own count: none is lost, none is there twice, and no stranger is left.
    assert re.search(
        rf"^ +{3 * VIDEOS}  restreams stored at the end$", shell.sandbox_said, re.MULTILINE
    )
    assert "stored more than once" not in shell.sandbox_said
    assert re.search(r"[1-9]\d*  failed on purpose", shell.sandbox_said)


def test_three_destinations_of_fifty_videos(
    shell: Shell, cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    wanted = ["videos.csv", "--destinations", "destinations.toml"]

    shell.write()
    code, lines = shell.run("plan", *wanted)
    assert (code, lines[-1]) == (3, "50 videos: 150 to create")
    code, lines = shell.run("apply", *wanted, "--yes")
    assert code == 0
    assert lines[-1].startswith("✓ 150 created, in ")
    code, lines = shell.run("plan", *wanted)
    assert (code, lines) == (0, ["✓ 50 videos are in sync: 150 unchanged"])

    # A new key, a destination that is off, and a restream that somebody else has created.
    shell.write(status="false", first_key="key-of-youtube-new")
    for name, value in shell.environment.items():
        if name.startswith("RESTREAM_"):
            settings.setenv(name, value)
    options = ["--video-id", "v7", "--title", "Guest", "--url", "rtmp://guest.example.com/live"]
    assert cli("create", *options, "--stream-key-file", "-", stdin=b"guest-key").code == 0
    settings.chdir(shell.folder)
    end = cli("plan", *wanted)
    assert end.code == 3
    assert "50 videos: 50 to disable, 1 needs --rotate, 1 extra, 99 unchanged\n" in end.out

    code, lines = shell.run("apply", *wanted, "--yes", "--rotate", "--prune")
    assert code == 0
    for line in (
        r"v0\n  ± rotated   YouTube  a.rtmps.youtube.com  was id \d+\n  ~ disabled  Own  ",
        r"v7\n  ~ disabled  Own .*\n  - deleted   Guest    guest.example.com .* extra\n",
    ):
        assert re.search(line, shell.said)
    assert lines[-1].startswith("✓ 50 disabled, 1 rotated, 1 deleted, 99 unchanged, in ")
    assert cli("plan", *wanted).code == 0


async def test_an_apply_that_is_killed_again_and_again_ends_in_the_wanted_state() -> None:
    # The long version, of 50 kills over 50 videos, is `python -m benchmarks.apply_kill9`.
    result = await kill_again_and_again(videos=6, kills=4, seed=1)
    assert result.problems == []
    assert result.kills == 4
    assert result.completed >= 2
