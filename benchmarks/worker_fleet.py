"""Workers that are killed and stopped, and NATS that is restarted, with 2,000 commands.

    python -m pip install -e '.[test]' && python -m benchmarks.worker_fleet

Worker processes on a real NATS server, a sandbox that takes 200 ms and fails one creation in eight.

1. Three workers wait. The service takes 1 s, and 48 restreams are enqueued. While they are
   created, the server gets SIGKILL and is started again: it forgets its latest deliveries.
2. All 2,000 restreams are enqueued. One worker gets SIGKILL, one SIGTERM. Then the server is
   restarted, which makes it forget what it has seen, and all are enqueued again.
3. The server loses its streams. Workers end, because their consumer is gone. All are enqueued again
   for another worker.

In the end every restream exists exactly once, every command has one outcome, and the dead letters
are the unusable commands; else it exits with 1.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from nats.aio.client import Client

from benchmarks import deadline
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.command_publishing import Publisher
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import (
    BAD,
    WorkerProcess,
    all_processed,
    documents,
    stored_count,
    wanted,
)

COUNT: Final = 2000
GLOBAL_CONCURRENCY: Final = 48
CONCURRENCY: Final = 24
ACK_WAIT: Final = 5.0
_TIMEOUT: Final = 900.0
"""Seconds for one run."""
_LATENCY: Final = 0.2
_SLOW: Final = 1.0
_SUBJECTS: Final = Subjects()
FAULTS: Final = Faults(
    before={Fault.INTERNAL_ERROR: 0.02, Fault.BACKEND_FETCH_FAILED: 0.02, Fault.RESET: 0.01},
    after={Fault.BACKEND_FETCH_FAILED: 0.04, Fault.RESET: 0.02, Fault.GARBAGE: 0.02},
)


async def run(folder: Path, faults: Faults, count: int = COUNT) -> list[str]:
    """Return what is wrong in the end."""
    server = NatsServer(folder)
    await server.start()
    connection = await NatsOptions(url=server.url).connect()
    try:
        async with Sandbox(latency=_LATENCY, faults=faults) as sandbox:
            return await _Fleet(folder, server, connection, sandbox, count).run()
    finally:
        await close(connection)
        await server.stop()


@attrs.define
class _Fleet:
    folder: Path
    server: NatsServer
    connection: Client
    sandbox: Sandbox
    count: int
    workers: list[WorkerProcess] = attrs.field(factory=list[WorkerProcess])
    codes: list[int] = attrs.field(factory=list[int])

    async def run(self) -> list[str]:
        begin = time.monotonic()
        await self._enqueue(0, BAD)
        killed, ended, last = [await self._start() for _ in range(3)]
        await self._kill_the_server_amid_creations()
        wrong = self._wrong_at_the_service(
            "after SIGKILL for NATS amid creations", GLOBAL_CONCURRENCY
        )

        await self._enqueue(self.count)
        await stored_count(self.sandbox, self.count // 5, 120)
        await killed.end(signal.SIGKILL)
        await stored_count(self.sandbox, self.count * 2 // 5, 120)
        self.codes.append(await ended.end(signal.SIGTERM))
        await stored_count(self.sandbox, self.count * 3 // 5, 120)
        await self.server.restart()
        await self._enqueue(self.count)
        await all_processed(self.connection, 240)
        wrong += self._wrong_at_the_service("after a restart of NATS", self.count)
        wrong += await self._wrong_reports()

        await self.server.restart(lose_streams=True)
        # The worker notices by itself, and exits with 1.
        self.codes.append(await last.process.wait() - 1)
        await self._enqueue(self.count)
        another = await self._start()
        await all_processed(self.connection, 240)
        self.codes.append(await another.end(signal.SIGTERM))
        await self.sandbox.settle()
        wrong += self._wrong_at_the_service("after NATS lost its streams", self.count)

        counts, took = self.sandbox.counts, time.monotonic() - begin
        print(
            f"enqueued 3 times: {counts.stored} stored of {self.count} in {took:.1f} s; "
            f"{counts.faults.total} faults, {counts.posts} posts, {counts.lists} lists, "
            f"at most {counts.max_in_flight} of {GLOBAL_CONCURRENCY} in flight"
        )
        logs = [*(worker.log for worker in self.workers), self.server.log]
        checks = {
            "the global concurrency was exceeded": counts.max_in_flight <= GLOBAL_CONCURRENCY,
            "a worker did not end well": not any(self.codes),
            "a secret was shown": not self._shows_a_secret(logs),
        }
        return wrong + [problem for problem, well in checks.items() if not well]

    async def _kill_the_server_amid_creations(self) -> None:
        """Kill the server as soon as work has started, while all workers have free slots."""
        jetstream = jetstream_of(self.connection)

        async def waiting() -> int:
            info = await jetstream.consumer_info(_SUBJECTS.stream, _SUBJECTS.consumer)
            return info.num_waiting or 0

        self.sandbox.latency = _SLOW
        while await waiting() < len(self.workers) * CONCURRENCY:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)
        await self._enqueue(GLOBAL_CONCURRENCY)
        while self.sandbox.counts.in_flight < GLOBAL_CONCURRENCY // 4:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.005)
        await self.server.restart(signal.SIGKILL)
        await all_processed(self.connection, 60)
        self.sandbox.latency = _LATENCY

    async def _start(self) -> WorkerProcess:
        name = f"worker{len(self.workers)}"
        worker = await WorkerProcess.start(
            self.folder,
            name,
            self.server.url,
            self.sandbox,
            CONCURRENCY,
            GLOBAL_CONCURRENCY,
            ACK_WAIT,
        )
        self.workers.append(worker)
        return worker

    async def _enqueue(self, count: int, bad: Sequence[bytes] = ()) -> None:
        """Publish so many restreams, as `enqueue` does, on a connection of its own."""
        connection = await NatsOptions(url=self.server.url).connect()
        jetstream = jetstream_of(connection)
        publisher = Publisher(
            jetstream=jetstream,
            subject=_SUBJECTS.commands,
            stream=_SUBJECTS.stream,
            salt=await declare_streams(jetstream, _SUBJECTS),
        )
        for command in bad:
            await jetstream.publish(_SUBJECTS.commands, command)
        await publisher.publish_all(map(wanted, range(count)))
        await declare_consumer(
            jetstream, _SUBJECTS, global_concurrency=GLOBAL_CONCURRENCY, ack_wait=ACK_WAIT
        )
        await close(connection)

    def _wrong_at_the_service(self, when: str, count: int) -> list[str]:
        keys = [item.stream_key for item in self.sandbox.stored]
        twice = len(keys) - len(set(keys))
        lost = len({wanted(n).stream_key for n in range(count)} - set(keys))
        print(f"{when}: {twice} twice, {lost} lost")
        return [f"{when}: {twice} twice, {lost} lost"] if twice or lost else []

    async def _wrong_reports(self) -> list[str]:
        state = (await jetstream_of(self.connection).stream_info(_SUBJECTS.stream)).state
        dead = await documents(self.connection, _SUBJECTS.dead_stream)
        outcomes = await documents(self.connection, _SUBJECTS.outcomes_stream)
        of = sorted(each["sequence"] for each in outcomes)
        existing = sum(each.get("origin") == "existing" for each in outcomes)
        print(f"{len(outcomes)} outcomes, {existing} of them existing; {len(dead)} dead letters")
        checks = {
            "a dead letter is not of a bad command": all(
                each["errorType"] == "UnusableMessage" for each in dead
            ),
            "a bad command is no dead letter": len(dead) == len(BAD),
            "an outcome is missing or doubled": of == list(range(1, state.last_seq + 1)),
            "a secret was shown": not self._shows_a_secret([str(dead), str(outcomes)]),
        }
        return [problem for problem, well in checks.items() if not well]

    def _shows_a_secret(self, texts: Sequence[str]) -> bool:
        return any("SECRET" in text or self.sandbox.api_key in text for text in texts)


def main() -> int:
    """Run it without faults and with them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker_fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=COUNT, help="restreams (2000)")
    count = parser.parse_args().count
    wrong: list[str] = []
    for faults in (Faults(), FAULTS):
        with tempfile.TemporaryDirectory() as folder:
            wrong += deadline.run(run(Path(folder), faults, count), _TIMEOUT)
    print("wrong: " + "; ".join(wrong) if wrong else "all well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
