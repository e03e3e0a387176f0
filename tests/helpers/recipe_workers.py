"""Worker processes of a recipe, killed and stopped in the middle of their work."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.polling import until
from tests.helpers.readmes import environment
from tests.helpers.worker_fleet import stored_count

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
_SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


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

    async def work(
        self, restart: Callable[[], Awaitable[object]], ended: Callable[[], Awaitable[bool]]
    ) -> None:
        """Let them work until `ended`, through kills of workers and a restart of the broker."""
        for _ in range(2):
            await self._start()
        for part, number in enumerate(_SIGNALS, start=1):
            await self._amid_creations(part * COUNT // (len(_SIGNALS) + 2))
            await self._end(number)
            await self._start()
        await self._amid_creations((len(_SIGNALS) + 1) * COUNT // (len(_SIGNALS) + 2))
        await restart()
        async with asyncio.timeout(60):
            while not await ended():  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.1)
        while self._running:
            await self._end(signal.SIGTERM)
        await self.sandbox.settle()

    async def kill(self) -> None:
        """Kill those that still run, after a failure."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "workers.log").read_text()

    async def _amid_creations(self, stored: int) -> None:
        await stored_count(self.sandbox, stored, 60)
        await until(lambda: self.sandbox.counts.in_flight >= 4, 60)

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
