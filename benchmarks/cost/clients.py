"""The measured clients. All but ours get a finished body or its parts, and check nothing."""

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp
import attrs
import cattrs
import httpx
import niquests
import pyqwest
from yarl import URL

from benchmarks import bulk_run, contestants, names
from benchmarks.contestants import Create, Opening, aiohttp_session, body
from benchmarks.cost.protocol import exchange
from benchmarks.inputs import restreams
from benchmarks.service import Address
from benchmarks.terms import Terms
from restream_async import NewRestream

IN_FLIGHT: Final = 32

Run: TypeAlias = Callable[[Address, int], Coroutine[None, None, None]]

_TERMS: Final = Terms(in_flight=IN_FLIGHT, timeout=60.0)
_NEW: Final = next(restreams())
_BODY: Final = body(_NEW)


@attrs.frozen(kw_only=True)
class Client:
    """A client that creates many restreams, with 32 requests in flight.

    Attributes:
        name: its name in tables and plots.
        run: creates so many restreams.
        packages: the packages of PyPI that it consists of.

    """

    name: str
    run: Run
    packages: tuple[str, ...]


@attrs.frozen
class _Answer:
    """A typed response, with JSON field names."""

    id: int
    title: str
    streamKey: str  # noqa: N815
    streamUrl: str  # noqa: N815
    status: bool
    videoId: str  # noqa: N815


async def _ours(address: Address, count: int, journal: Path | None = None) -> None:
    await bulk_run.create(
        address, count, clock=time.process_time, in_flight=IN_FLIGHT, journal=journal
    )


async def _ours_with_journal(address: Address, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await _ours(address, count, Path(folder) / "run.db")


async def _protocol(address: Address, count: int) -> None:
    await exchange(address, _BODY, count, IN_FLIGHT)


@asynccontextmanager
async def _bare(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open aiohttp as in the first example of its documentation. All are compared with it."""
    url = address.route
    async with aiohttp_session(address, terms) as session:

        async def create(_: NewRestream) -> None:
            async with session.post(url, json=_BODY) as response:
                await response.json()

        yield create


@asynccontextmanager
async def _tuned(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open aiohttp without URL encoding, cookies and timers, but with typed responses."""
    url = URL(address.route, encoded=True)
    converter = cattrs.Converter(detailed_validation=False)
    async with aiohttp.ClientSession(
        headers={"Authorization": address.api_key, "Content-Type": "application/json"},
        connector=aiohttp.TCPConnector(limit=terms.in_flight),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:

        async def create(_: NewRestream) -> int:
            async with session.post(url, data=json.dumps(_BODY).encode()) as response:
                envelope = json.loads(await response.read())
            return converter.structure(envelope["result"], _Answer).id

        yield create


@asynccontextmanager
async def _httpx(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    url = address.route
    async with httpx.AsyncClient(
        headers={"Authorization": address.api_key}, timeout=terms.timeout
    ) as client:

        async def create(_: NewRestream) -> None:
            (await client.post(url, json=_BODY)).json()

        yield create


@asynccontextmanager
async def _niquests(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    url = address.route
    async with niquests.AsyncSession(pool_maxsize=terms.in_flight) as session:
        session.headers["Authorization"] = address.api_key

        async def create(_: NewRestream) -> None:
            (await session.post(url, json=_BODY, timeout=terms.timeout)).json()

        yield create


@asynccontextmanager
async def _pyqwest(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open a client in Rust. By default it would keep only two connections."""
    url, headers = address.route, {"Authorization": address.api_key}
    async with pyqwest.HTTPTransport(
        timeout=terms.timeout, pool_max_idle_per_host=terms.in_flight
    ) as transport:
        client = pyqwest.Client(transport)

        async def create(_: NewRestream) -> None:
            (await client.post(url, headers=headers, content=_BODY)).json()

        yield create


def _pooled(opening: Opening) -> Run:
    async def run(address: Address, count: int) -> None:
        async with opening(address, _TERMS) as create:
            await _share(create, count)

    return run


async def _share(create: Callable[[NewRestream], Awaitable[object]], count: int) -> None:
    waiting = iter(range(count))

    async def work() -> None:
        for _ in waiting:
            await create(_NEW)

    await asyncio.gather(*itertools.starmap(work, itertools.repeat((), IN_FLIGHT)))


OURS: Final = (
    Client(name=names.OURS, run=_ours, packages=("restream-async",)),
    Client(name=f"{names.OURS}, journal", run=_ours_with_journal, packages=("restream-async",)),
)
OTHERS: Final = (
    Client(name=names.BARE, run=_pooled(_bare), packages=("aiohttp",)),
    Client(name="aiohttp, tuned", run=_pooled(_tuned), packages=("aiohttp",)),
    Client(
        name=names.TENACITY,
        run=_pooled(contestants.aiohttp_with_tenacity),
        packages=("aiohttp", "tenacity"),
    ),
    Client(
        name="aiohttp-retry",
        run=_pooled(contestants.aiohttp_retry),
        packages=("aiohttp", "aiohttp-retry"),
    ),
    Client(name="pyqwest (Rust)", run=_pooled(_pyqwest), packages=("pyqwest",)),
    Client(name="niquests", run=_pooled(_niquests), packages=("niquests",)),
    Client(name="httpx", run=_pooled(_httpx), packages=("httpx",)),
    Client(
        name="httpx + httpx-retries",
        run=_pooled(contestants.httpx_retries),
        packages=("httpx", "httpx-retries"),
    ),
    Client(name="gcore", run=_pooled(contestants.gcore), packages=("gcore", "httpx")),
)
LIMIT: Final = Client(name="asyncio protocol, no more", run=_protocol, packages=())

ALL: Final = (*OURS, LIMIT, *OTHERS)
# Valgrind is slow, so this is the most important part.
QUICK: Final = (OURS[0], LIMIT, OTHERS[0])
