"""A sandbox with restreams of several videos, for the commands that select some of them."""

from pathlib import Path

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import STREAM_KEY, Cli

HOSTS = {"YouTube": "a.rtmps.youtube.com", "Twitch": "live.twitch.tv", "Own": "media.example:1936"}


def fill(cli: Cli, folder: Path, *, videos: int = 2) -> None:
    """Create three active restreams of each video, with ids in their order."""
    rows = [
        f"v{number},{title},rtmp://{host}/app,{STREAM_KEY}-{number}-{title},true"
        for number in range(1, videos + 1)
        for title, host in HOSTS.items()
    ]
    file = folder / "fill.csv"
    file.write_text("\n".join(["videoId,title,streamUrl,streamKey,status", *rows]))
    assert cli("bulk", file, "--max-in-flight", 1, "--no-journal").code == 0


def statuses(sandbox: Sandbox) -> list[bool]:
    """Return the statuses of all restreams, in the order of their ids."""
    return [restream.status for restream in sandbox.stored]
