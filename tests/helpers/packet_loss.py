"""A firewall that drops all packets for a while, in a network namespace of this process.

`unshare --net python -m tests.helpers.packet_loss` prints how many copies there are of one creation
that was given up, looked for and sent again in that time.
"""

import asyncio
import subprocess

from restream_async import RetryPolicy
from restream_async._util.clock import Clock
from tests.helpers.clients import client_of
from tests.helpers.varnish_clients import new, service

WARM = 8
DROPPED = 2.0  # seconds
# The kernel sends again within twice the time since the first dropped packet.
SETTLED = 2.5


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - the commands below


def _drop(port: int) -> None:
    _run("nft", "add table inet lossy")
    _run("nft", "add chain inet lossy input { type filter hook input priority 0; }")
    _run("nft", f"add rule inet lossy input tcp dport {port} drop")


async def _heal() -> None:
    await asyncio.sleep(DROPPED)
    _run("nft", "delete table inet lossy")


async def copies() -> int:
    """Return how many copies of one restream are stored in the end."""
    async with (
        service() as sandbox,
        client_of(
            sandbox,
            clock=Clock(),
            timeout=0.5,
            retry=RetryPolicy(attempts=20, base=0.05, cap=0.1),
        ) as client,
    ):
        await asyncio.gather(*(client.create(new(f"warm{number}")) for number in range(WARM)))
        _drop(int(sandbox.base_url.rpartition(":")[2]))
        healing = asyncio.create_task(_heal())
        await client.create(new())
        await healing
        await asyncio.sleep(SETTLED)
        return len(sandbox.stored) - WARM


if __name__ == "__main__":
    _run("ip", "link", "set", "lo", "up")
    print(asyncio.run(copies()))  # noqa: T201 - its result
