"""A plain aiohttp client of the sandbox, without retries."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs

from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def create_body(video_id: str = "v1", **changes: object) -> dict[str, object]:
    return {
        "videoId": video_id,
        "title": "YouTube",
        "streamUrl": "rtmps://live.example/app",
        "streamKey": "s3cret",
        "status": True,
        **changes,
    }


@attrs.frozen
class Answer:
    status: int
    envelope: dict[str, Any]

    @property
    def result(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        return self.envelope["result"]


@attrs.frozen
class SandboxClient:
    session: aiohttp.ClientSession
    root: str

    async def send(self, method: str, path: str, **options: Any) -> Answer:  # noqa: ANN401 - aiohttp's
        async with self.session.request(method, self.root + path, **options) as response:
            return Answer(response.status, await response.json())

    async def create(self, video_id: str = "v1", **changes: object) -> Answer:
        return await self.send("POST", "/restreams", json=create_body(video_id, **changes))

    async def list(self, video_id: str) -> Answer:
        return await self.send("GET", f"/live-video/{video_id}/restreams")

    async def toggle(self, restream_id: object) -> Answer:
        return await self.send("PUT", f"/restreams/{restream_id}/toggle")

    async def delete(self, restream_id: object) -> Answer:
        return await self.send("DELETE", f"/restreams/{restream_id}")

    async def outcome_of_create(self, video_id: str = "v1", **changes: object) -> str:
        """Create a restream, and return in one word what the client sees."""
        request = self.session.post(f"{self.root}/restreams", json=create_body(video_id, **changes))
        try:
            async with request as response:
                await response.json()
        except aiohttp.ClientPayloadError:
            return "truncated"
        except aiohttp.ClientConnectionError:
            return "reset"
        except aiohttp.ContentTypeError:
            return "page"
        except ValueError:
            return "garbage"
        else:
            return str(response.status)


@asynccontextmanager
async def open_client(sandbox: Sandbox) -> AsyncGenerator[SandboxClient]:
    """Open a sandbox and a client of it."""
    headers = {"Authorization": sandbox.api_key}
    async with sandbox, aiohttp.ClientSession(headers=headers) as session:
        yield SandboxClient(session, f"{sandbox.base_url}/api/v1/{sandbox.project_id}")


@asynccontextmanager
async def raw_connection(
    sandbox: Sandbox,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a TCP connection to the sandbox."""
    port = int(sandbox.base_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


def raw_request(body: bytes = b"", *, method: str = "POST", path: str = "restreams") -> bytes:
    return (
        f"{method} /api/v1/sandbox/{path} HTTP/1.1\r\nHost: sandbox\r\n"
        f"Authorization: sandbox-key\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def until_in_flight(sandbox: Sandbox, count: int) -> None:
    """Wait until the sandbox has so many requests in flight."""
    await until(lambda: sandbox.counts.in_flight == count, pause=0)


@asynccontextmanager
async def occupied(sandbox: Sandbox, *, count: int = 1) -> AsyncGenerator[None]:
    """Keep so many requests hanging in the sandbox; all other requests succeed."""
    before = sandbox.counts.in_flight
    sandbox.faults = Faults(before={Fault.HANG: 1.0})
    async with AsyncExitStack() as connections:
        for _ in range(count):
            _, writer = await connections.enter_async_context(raw_connection(sandbox))
            writer.write(raw_request(json.dumps(create_body("hanging")).encode()))
        await until_in_flight(sandbox, before + count)
        sandbox.faults = Faults()
        yield
