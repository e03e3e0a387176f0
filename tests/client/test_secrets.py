"""No secret in anything that the library, aiohttp or asyncio can print, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import traceback
import warnings
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from restream_async import (
    Created,
    Failed,
    NewRestream,
    Restream,
    RestreamClient,
    RestreamError,
    RetryPolicy,
)
from restream_async._util.clock import Clock
from tests.helpers.broken_answers import BROKEN
from tests.helpers.client_calls import CALLS
from tests.helpers.clients import client_of
from tests.helpers.leak_checks import settle
from tests.helpers.raw_server import Peer, RawServer, Seen, then_close, then_hang, then_reset
from tests.helpers.recorded_telemetry import RecordedTelemetry
from tests.helpers.samples import (
    API_KEY,
    BACKEND_FETCH_FAILED,
    INTERNAL_ERROR,
    SECRETS,
    STREAM_KEY,
    answer,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from restream_async.telemetry import OpenTelemetry
    from tests.helpers.raw_server import Act, Step

_SPELLED: Final = tuple({*SECRETS, *(quote(secret, safe="") for secret in SECRETS)})


async def _echo(peer: Peer, seen: Seen) -> None:
    """Answer with all that was asked, as a debugging page does."""
    page = b"\n".join(
        [seen.body, *(f"{name}: {value}".encode() for name, value in seen.headers.items())]
    )
    await peer.write(answer(page, "500 Internal Server Error"))


def _echoed(status: str) -> Act:
    """Answer with secrets in every place; only a creation's own request knows all of them."""

    async def act(peer: Peer, seen: Seen) -> None:
        secrets = SECRETS if seen.method == "POST" else [API_KEY]
        body = envelope(
            None,
            status=int(status[:3]),
            errors=[*secrets, {"streamKey": STREAM_KEY, "detail": secrets}],
            messages=[" ".join(secrets)],
        )
        headers = {"X-Echo": API_KEY, "Set-Cookie": f"key={API_KEY}"}
        await peer.write(answer(body, status, headers))

    return act


SCRIPTS: Final[dict[str, Step | list[Step]]] = {
    **{name: BROKEN[name][0] for name in list(BROKEN)[::3]},
    "success": created(),
    "a strange success": answer(envelope({**on_the_wire(new_restream()), "id": None})),
    "varnish": BACKEND_FETCH_FAILED,
    "echo": _echo,
    **{f"echo {status}": _echoed(f"{status} Oops") for status in (400, 401, 403, 404, 429, 500)},
    "echo in the reason": answer(b"", f"418 {API_KEY}"),
    "redirect": answer(b"", "302 Found", {"Location": f"/?key={API_KEY}"}),
    "hang": then_hang(),
    "hang within": then_hang(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + API_KEY.encode()),
    "foreign": listed(on_the_wire(new_restream("v2"), 1)),
    "then found": [INTERNAL_ERROR, listed(on_the_wire(new_restream(), 9))],
    "then reset": [then_reset(), then_close(), INTERNAL_ERROR],
}


class Collector(logging.Handler):
    """Keeps whatever a logger is given, formatted, with its arguments and its exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {
            name: value for name, value in vars(record).items() if name.startswith("restream")
        }
        self.texts += [self.format(record), repr(record.args), repr(fields)]


@pytest.fixture
def collector() -> Any:  # noqa: ANN401 - yields a Collector
    """Listen to everybody who may speak, at DEBUG."""
    collector = Collector()
    names = ["", "restream_async", "asyncio"]
    names += [name for name in logging.root.manager.loggerDict if name.startswith("aiohttp")]
    loggers = [logging.getLogger(name) for name in [*names, "aiohttp.client", "aiohttp.internal"]]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(collector)
    yield collector
    logging.getLogger().removeHandler(collector)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def _told(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join((*told.format(), str(error), repr(error), repr(vars(error))))


async def _end_of(client: RestreamClient, call: str) -> list[str]:
    """Make a call, and return all that can be said of its end. No secret is a local here."""
    try:
        end = await CALLS[call](client)
    except Exception as error:  # noqa: BLE001 - whatever comes is looked through
        chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
        doubt: object = getattr(error, "doubt", None)
        if isinstance(doubt, BaseException):
            chain.append(doubt)
        return [_told(part) for part in chain if part is not None]
    return [repr(end), str(end)]


async def _bulk(client: RestreamClient, requests: list[NewRestream]) -> list[str]:
    try:
        report = await client.create_all(requests)
    except RestreamError as error:
        del requests
        return [_told(error)]
    shown = [repr(report), str(report), repr(client.stats())]
    try:
        report.raise_for_failures()
    except ExceptionGroup as group:
        del requests
        shown.append(_told(group))
    for outcome in (*report.created, *report.failed):
        shown.append(repr(outcome))
        if isinstance(outcome, Failed):
            shown.append(_told(outcome.error))
    return shown


async def _everything(shown: list[str], telemetry: OpenTelemetry) -> None:
    """Run every kind of failure through every call."""
    for name, step in SCRIPTS.items():
        server = RawServer(post=step, get=step, put=step, delete=step)
        async with (
            server,
            client_of(
                server,
                auth_scheme="Bearer",
                timeout=0.02 if "hang" in name else 5.0,
                attempts=2,
                telemetry=telemetry,
            ) as client,
        ):
            shown += [repr(client), str(client), repr(vars(client))]
            for call in CALLS:
                shown += await _end_of(client, call)
            shown += await _bulk(client, [new_restream(), new_restream("v2")])
            shown += [repr(task) for task in asyncio.all_tasks()]


async def _cancelled_and_timed_out(shown: list[str]) -> None:
    async with RawServer(post=then_hang()) as server, client_of(server) as client:
        task = asyncio.create_task(client.create(new_restream()))
        await server.arrived()
        shown += [repr(task), repr(task.get_stack()), repr(task.get_coro())]
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            shown.append(_told(error))
        for limit in (0.01, 0.02):
            try:
                async with asyncio.timeout(limit):
                    await client.create(new_restream())
            except TimeoutError as error:
                shown.append(_told(error))


async def _unreachable(shown: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for base_url in (f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}"):
            async with client_of(
                base_url,
                retry=RetryPolicy(base=0.001, cap=0.001),
                # Many failures, slowly: that is an outage, which nobody need wait out here.
                patience=0.1,
                clock=Clock(),
            ) as client:
                for call in CALLS:
                    shown += await _end_of(client, call)
            shown += await _end_of(client, "create")


async def test_nothing_that_is_printed_holds_a_secret(
    collector: Collector, capfd: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    recorded = RecordedTelemetry()
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    # Everything is slow enough to be told.
    loop.slow_callback_duration = 0.0
    loop.set_exception_handler(lambda _, context: shown.append(repr(context)))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        await _everything(shown, recorded.telemetry)
        await _cancelled_and_timed_out(shown)
        await _unreachable(shown)
        await settle()
        gc.collect()
    loop.set_debug(False)
    printed = capfd.readouterr()
    shown += [printed.out, printed.err]
    shown += [str(warning) for warning in warned]
    traces_and_metrics = recorded.texts()
    recorded.close()
    shown.append(traces_and_metrics)

    # It did look at something: retries and slow callbacks were logged, errors were told.
    logged, everything = "\n".join(collector.texts), "\n".join([*shown, *collector.texts])
    assert "failed, again in" in logged
    assert "Executing" in logged
    assert "restream_video_id" in logged
    assert "OutcomeUnknownError" in traces_and_metrics
    assert "BackendFetchFailedError" in everything
    for secret in _SPELLED:
        found = everything.find(secret)
        assert found < 0, everything[max(0, found - 300) : found + 50]


async def test_models_and_outcomes_show_no_secret() -> None:
    new = new_restream(title=f"my key is {SECRETS[1]}")
    restream = Restream(
        id=1,
        title=new.title,
        stream_key=new.stream_key,
        stream_url=new.stream_url,
        status=True,
        video_id="v1",
    )
    outcome = Created(index=0, request=new, restream=restream, attempts=1)
    failed = Failed(index=0, request=new, error=RestreamError(), attempts=1)

    for value in (new, restream, outcome, failed):
        text = f"{value!r} {value} {vars(value) if hasattr(value, '__dict__') else ''}"
        assert not [secret for secret in SECRETS if secret in text]


async def _items(new: NewRestream) -> AsyncIterator[NewRestream]:
    yield new
    raise ZeroDivisionError


async def test_a_broken_input_shows_no_secret() -> None:
    shown: list[str] = []
    async with (
        RawServer(post=created()) as server,
        client_of(server) as client,
    ):
        try:
            await client.create_all(_items(new_restream()))
        except ZeroDivisionError as error:
            shown.append(_told(error))

    assert shown
    assert not [secret for secret in SECRETS if secret in shown[0]]
