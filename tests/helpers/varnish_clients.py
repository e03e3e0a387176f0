"""A service with a Varnish in front of it, and clients that wait no longer than needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from restream_async import NewRestream, RestreamClient, RetryPolicy
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from restream_async.settings import InDoubt

API_KEY = "api-key-0c3f9a1d"
STREAM_KEY = "stream-key-7be2"
PROJECT = "p1"


def service(**settings: Any) -> Sandbox:  # noqa: ANN401 - those of Sandbox
    return Sandbox(api_key=API_KEY, project_id=PROJECT, **settings)


def new(video_id: str = "v1", *, key: str = STREAM_KEY) -> NewRestream:
    return NewRestream(
        video_id=video_id,
        title="YouTube",
        stream_url="rtmps://live.example/app",
        stream_key=key,
        status=True,
    )


async def _one_turn() -> None:
    await asyncio.sleep(0)


@attrs.frozen
class Waits:
    """Records the waits of clients. Each ends as soon as `meanwhile` does."""

    meanwhile: Callable[[], Awaitable[None]] = _one_turn
    seconds: list[float] = attrs.field(factory=list[float])

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.meanwhile()


def client_of(
    base_url: str, waits: Waits, *, attempts: int = 5, in_doubt: InDoubt = "confirm"
) -> RestreamClient:
    return RestreamClient(
        base_url=base_url,
        project_id=PROJECT,
        api_key=API_KEY,
        retry=RetryPolicy(attempts=attempts),
        in_doubt=in_doubt,
        clock=Clock(sleep=waits.sleep),
    )


@attrs.frozen
class VarnishSetup:
    """A sandbox, and the base URL of the Varnish in front of it."""

    sandbox: Sandbox
    base_url: str

    def client(self, *, attempts: int = 5, in_doubt: InDoubt = "confirm") -> RestreamClient:
        """Return a client whose waits end when the service has finished its work."""
        waits = Waits(self.sandbox.settle)
        return client_of(self.base_url, waits, attempts=attempts, in_doubt=in_doubt)
