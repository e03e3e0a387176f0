"""Worker processes of a recipe, killed and stopped in the middle of their work."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol, Self

import attrs

from restream_async import NewRestream, Outcome, RetryPolicy
from restream_async.errors import ApiError
from restream_async.handling import MessageHandler
from restream_async.handling.command_messages import encode
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.handling.test_message_handler import CALL, FakeClient
from tests.helpers.polling import until
from tests.helpers.readmes import environment
from tests.helpers.worker_fleet import BAD, stored_count, wanted

RECIPES: Final = Path(__file__).parents[1] / "recipes"
COUNT: Final = 120
# Seconds after which another consumer may work on the message of a lost one.
LEASE: Final = 3.0
# Seconds. A check that comes right after a kill does not see what the service still works on.
LATENCY: Final = 0.5
LIST_LATENCY: Final = 0.02
FAULTS: Final = Faults(
    before={Fault.BACKEND_FETCH_FAILED: 0.03, Fault.RESET: 0.02},
    after={Fault.BACKEND_FETCH_FAILED: 0.04, Fault.RESET: 0.02, Fault.GARBAGE: 0.02},
    retry_after=None,
)
_SLOW: Final = 1.2
_FEW: Final = 8
_SIGNALS: Final = (signal.SIGTERM, signal.SIGKILL)


class RecipeQueue(Protocol):
    """The queue of a test."""

    async def wait_for_consumers(self, count: int) -> None:
        """Wait until so many consumers are there, if the broker knows them."""

    async def put(self, bodies: Iterable[bytes]) -> None:
        """Put messages on the queue."""

    async def restart(self) -> None:
        """Kill the server, if there is one, and start it again."""

    async def is_done(self) -> bool:
        """Return whether all messages have ended."""
        ...


@attrs.define
class RecipeWorkers:
    """Two processes that run a recipe.

    Attributes:
        recipe: the file of the recipe.
        folder: for the log.
        sandbox: the service.
        settings: further environment variables.

    """

    recipe: str
    folder: Path
    sandbox: Sandbox
    settings: Mapping[str, str]
    _running: list[asyncio.subprocess.Process] = attrs.field(
        factory=list[asyncio.subprocess.Process], init=False
    )

    async def work(self, queue: "RecipeQueue") -> None:
        """Let them create all restreams, through kills of workers and a restart of the broker."""
        self.sandbox.latency = _SLOW
        for _ in range(2):
            await self._start()
        await queue.wait_for_consumers(2)
        # Few, so that the worker that is left has slots for the messages of the killed one at once.
        await queue.put(encode(wanted(number)) for number in range(_FEW))
        await self._replace(signal.SIGKILL, amid=_FEW)
        self.sandbox.latency = LATENCY
        await queue.put((*(encode(wanted(number)) for number in range(_FEW, COUNT)), *BAD))
        for part, number in enumerate(_SIGNALS, start=1):
            await stored_count(self.sandbox, part * COUNT // 6, 60)
            await self._replace(number)
        await stored_count(self.sandbox, COUNT * 2 // 3, 60)
        await queue.restart()
        async with asyncio.timeout(60):
            while not await queue.is_done():  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.1)
        while self._running:
            await self._end(signal.SIGTERM)
        await self.sandbox.settle()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill those that still run, after a failure."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "workers.log").read_text()

    async def _replace(self, number: signal.Signals, amid: int = 4) -> None:
        """End one of them while so many requests are in flight, and start another one."""
        await until(lambda: self.sandbox.counts.in_flight >= amid, 60)
        await self._end(number)
        await self._start()

    async def _start(self) -> None:
        with (self.folder / "workers.log").open("ab") as log:
            self._running.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-W", "error", str(RECIPES / self.recipe)),
                    env={**environment(self.sandbox), **self.settings},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    async def _end(self, number: signal.Signals) -> None:
        process = self._running.pop(0)
        assert process.returncode is None, self.log
        process.send_signal(number)
        code = await asyncio.wait_for(process.wait(), 10)
        assert code == (0 if number is signal.SIGTERM else -number), self.log


def assert_each_exists_once(sandbox: Sandbox, log: str) -> None:
    keys = [each.stream_key for each in sandbox.stored]
    assert len(set(keys)) == COUNT, "nothing is lost"
    assert len(keys) == COUNT, "nothing exists twice"
    assert sandbox.counts.faults.total > 0
    assert "SECRET" not in log
    assert sandbox.api_key not in log


@attrs.define
class SlowClient(FakeClient):
    """Takes some seconds for each creation.

    Attributes:
        seconds: how long a creation takes.
        begun: is set when the first one has begun.

    """

    seconds: float = 0.0
    begun: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        self.begun.set()
        await asyncio.sleep(self.seconds)
        return await super().outcome(new, ensure=ensure, recent=recent)


def failing_once() -> FakeClient:
    """Return a client whose first creation fails for now."""
    return FakeClient([ApiError(CALL, status=500)])


def handler(client: FakeClient, stop: asyncio.Event, delay: float = 0.01) -> MessageHandler:
    """Return a handler whose failing messages rest for so many seconds."""
    return MessageHandler(
        client,
        redelivery=RetryPolicy(attempts=3, base=delay, cap=delay),
        stopping=stop.is_set,
        random=lambda: 1.0,
    )
