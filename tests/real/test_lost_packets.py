"""A firewall that drops packets: the kernel does not deliver a request that was given up."""

import os
import subprocess
import sys

from tests.helpers.programs import PATH, do_without, find

_LONGEST = 60.0


def test_a_creation_that_was_given_up_behind_a_firewall_is_stored_once() -> None:
    command = [
        find("unshare", "util-linux"),
        "--net",
        sys.executable,
        "-m",
        "tests.helpers.packet_loss",
    ]
    find("ip", "iproute2")
    find("nft", "nftables")
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
        env={**os.environ, "PATH": PATH},
    )
    if "unshare failed" in done.stderr:
        do_without(f"there is no network namespace ({done.stderr.strip()})")

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
