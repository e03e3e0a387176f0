"""The clients that are compared, each configured as its documentation says.

All have the same number of requests in flight, the same time-out and about the same retries: five
attempts, a first wait of up to 0.2 s, and each further wait up to twice as long. Only the SDK of
Gcore keeps its default retries: three attempts, one wait of 0.38 s to 0.5 s and one of 0.75 s to
1 s.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias

import aiohttp
import attrs
import httpx
from aiohttp_retry import ExponentialRetry, RetryClient
from gcore import AsyncGcore
from httpx_retries import Retry, RetryTransport
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from benchmarks import names
from benchmarks.run_report import CreationReport, Id, RunReport
from benchmarks.service import Address
from benchmarks.terms import TERMS, Terms
from restream_async import (
    Created,
    NewRestream,
    OutcomeUnknownError,
    RestreamClient,
    RetryPolicy,
)

ATTEMPTS: Final = 5
FIRST_WAIT: Final = 0.2
LONGEST_WAIT: Final = 2.0

Create: TypeAlias = Callable[[NewRestream], Awaitable[Id]]
Opening: TypeAlias = Callable[[Address, Terms], AbstractAsyncContextManager[Create]]
Run: TypeAlias = Callable[[Address, Iterable[NewRestream], RunReport], Coroutine[None, None, None]]


@attrs.frozen(kw_only=True)
class Contestant:
    """A client that is compared.

    Attributes:
        name: what tables and plots call it.
        run: creates many, and gives an run_report of it.
        packages: what of PyPI it is made of.

    """

    name: str
    run: Run
    packages: tuple[str, ...]


def aiohttp_session(address: Address, terms: Terms) -> aiohttp.ClientSession:
    """Return a session of aiohttp with these settings."""
    return aiohttp.ClientSession(
        headers={"Authorization": address.api_key},
        timeout=aiohttp.ClientTimeout(total=terms.timeout),
        connector=aiohttp.TCPConnector(limit=terms.in_flight),
        trace_configs=list(terms.traces),
    )


def body(new: NewRestream) -> dict[str, str | bool]:
    """Return the JSON that asks for a restream."""
    return {
        "videoId": new.video_id,
        "title": new.title,
        "streamUrl": new.stream_url,
        "streamKey": new.stream_key,
        "status": new.status,
    }


@asynccontextmanager
async def aiohttp_with_tenacity(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open aiohttp, with tenacity's decorator around the whole exchange.

    `retry_if_exception_type` with aiohttp's errors and time-outs follows tenacity's documentation;
    `raise_for_status` turns 4xx and 5xx into such errors.
    """
    async with aiohttp_session(address, terms) as session:

        @retry(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            retry=retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
            reraise=True,
        )
        async def create(new: NewRestream) -> Id:
            async with session.post(address.route, json=body(new)) as response:
                response.raise_for_status()
                return _id(await response.json())

        yield create


@asynccontextmanager
async def aiohttp_retry(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open aiohttp-retry with its exponential back-off.

    It retries 5xx by default, and POST too. 429 and exceptions must be named: without `exceptions`
    version 2.9 retries none, though its documentation says all.
    """
    options = ExponentialRetry(
        attempts=ATTEMPTS,
        # The first wait is twice this.
        start_timeout=FIRST_WAIT / 2,
        max_timeout=LONGEST_WAIT,
        statuses={429},
        exceptions={aiohttp.ClientError, TimeoutError},
    )
    async with (
        aiohttp_session(address, terms) as session,
        RetryClient(session, retry_options=options, raise_for_status=True) as client,
    ):

        async def create(new: NewRestream) -> Id:
            async with client.post(address.route, json=body(new)) as response:
                return _id(await response.json())

        yield create


@asynccontextmanager
async def httpx_retries(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open httpx with the transport of httpx-retries.

    Connection errors and time-outs are retried by default; POST and 500 must be named.
    """
    policy = Retry(
        total=ATTEMPTS - 1,
        # The first wait is up to twice this.
        backoff_factor=FIRST_WAIT / 2,
        max_backoff_wait=LONGEST_WAIT,
        allowed_methods=["POST"],
        status_forcelist=[429, 500, 502, 503, 504],
    )
    async with httpx.AsyncClient(
        transport=RetryTransport(retry=policy),
        headers={"Authorization": address.api_key},
        timeout=terms.timeout,
    ) as client:

        async def create(new: NewRestream) -> Id:
            response = await client.post(address.route, json=body(new))
            response.raise_for_status()
            return _id(response.json())

        yield create


@asynccontextmanager
async def gcore(address: Address, terms: Terms) -> AsyncGenerator[Create, None]:
    """Open Gcore's SDK with its defaults: two retries after 408, 409, 429, 5xx and errors of httpx.

    Only address and time-out are set. It sends no idempotency key.
    """
    async with AsyncGcore(
        api_key=address.api_key, base_url=address.gcore_url, timeout=terms.timeout
    ) as client:

        async def create(new: NewRestream) -> Id:
            created = await client.streaming.restreams.create(
                restream={
                    "stream_id": int(new.video_id.removeprefix("v")),
                    "name": new.title,
                    "uri": f"{new.stream_url}/{new.stream_key}",
                    "active": new.status,
                }
            )
            return created.id

        yield create


def ours(terms: Terms = TERMS, *, repair: bool = False) -> Run:
    """Return a run of `create_many` with default settings."""

    async def run(address: Address, requests: Iterable[NewRestream], run_report: RunReport) -> None:
        async with AsyncExitStack() as stack:
            # Without traces the client creates its own session.
            session = (
                await stack.enter_async_context(aiohttp_session(address, terms))
                if terms.traces
                else None
            )
            client = await stack.enter_async_context(
                RestreamClient(
                    base_url=address.base_url,
                    project_id=address.project_id,
                    api_key=address.api_key,
                    timeout=terms.timeout,
                    retry=RetryPolicy(attempts=ATTEMPTS, base=FIRST_WAIT, cap=LONGEST_WAIT),
                    max_in_flight=terms.in_flight,
                    session=session,
                )
            )
            async with client.create_many(requests, repair=repair) as creations:
                async for outcome in creations:
                    if isinstance(outcome, Created):
                        run_report.add(CreationReport(index=outcome.index, id=outcome.restream.id))
                        if outcome.maybe_duplicate:
                            run_report.maybe_twice.add(outcome.index)
                    else:
                        unknown = isinstance(outcome.error, OutcomeUnknownError)
                        error = type(outcome.error).__name__
                        run_report.add(
                            CreationReport(index=outcome.index, error=error, unknown=unknown)
                        )
            run_report.maybe_twice.update(duplicate.index for duplicate in creations.duplicates)

    return run


def pooled(opening: Opening, terms: Terms = TERMS) -> Run:
    """Return a run with a client that creates one restream per call, shared by many tasks."""

    async def run(address: Address, requests: Iterable[NewRestream], run_report: RunReport) -> None:
        waiting = enumerate(requests)
        async with opening(address, terms) as create, asyncio.TaskGroup() as group:

            async def work() -> None:
                for index, new in waiting:
                    run_report.add(await _attempt(create, index, new))

            for _ in range(terms.in_flight):
                group.create_task(work())

    return run


OURS: Final = Contestant(name=names.OURS, run=ours(), packages=("restream-async",))
OURS_WITH_REPAIR: Final = Contestant(
    name=f"{names.OURS}, repair=True", run=ours(repair=True), packages=("restream-async",)
)
OTHERS: Final = (
    Contestant(
        name=names.TENACITY,
        run=pooled(aiohttp_with_tenacity),
        packages=("aiohttp", "tenacity"),
    ),
    Contestant(
        name="aiohttp-retry", run=pooled(aiohttp_retry), packages=("aiohttp", "aiohttp-retry")
    ),
    Contestant(
        name="httpx + httpx-retries",
        run=pooled(httpx_retries),
        packages=("httpx", "httpx-retries"),
    ),
    Contestant(name="gcore", run=pooled(gcore), packages=("gcore", "httpx")),
)


async def _attempt(create: Create, index: int, new: NewRestream) -> CreationReport:
    try:
        restream_id = await create(new)
    except Exception as error:  # noqa: BLE001 - any error is its report
        return CreationReport(index=index, error=type(error).__name__)
    return CreationReport(index=index, id=restream_id)


def _id(envelope: dict[str, dict[str, Id]]) -> Id:
    return envelope["result"]["id"]
