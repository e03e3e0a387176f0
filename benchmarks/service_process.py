"""The process of `service.Service`: reads settings and requests from stdin, answers on stdout.

It ends when stdin does, so it does not outlive its parent.
"""

import asyncio
import pickle
import signal
import sys
from typing import IO

from benchmarks.gcore_shim import GcoreShim
from benchmarks.service import Address, FinalState
from restream_async.sandbox import Sandbox


async def _serve(inbox: IO[bytes], outbox: IO[bytes]) -> None:
    def answer(what: object) -> None:
        pickle.dump(what, outbox)
        outbox.flush()

    settings = pickle.load(inbox)  # noqa: S301 - from our own parent
    async with Sandbox(**settings) as sandbox, GcoreShim(sandbox) as shim:
        answer(
            Address(
                base_url=sandbox.base_url,
                gcore_url=shim.base_url,
                project_id=sandbox.project_id,
                api_key=sandbox.api_key,
            )
        )
        loop = asyncio.get_running_loop()
        while line := await asyncio.to_thread(inbox.readline):
            if line.strip():
                for seconds, name, value in pickle.loads(bytes.fromhex(line.decode())):  # noqa: S301 - as above
                    loop.call_later(seconds, setattr, sandbox, name, value)
                continue
            await sandbox.settle()
            answer(FinalState(stored=sandbox.stored, counts=sandbox.counts))


if __name__ == "__main__":
    # Ctrl-C is for the parent, which then closes stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(sys.stdin.buffer, sys.stdout.buffer))
