"""Private: makes all checks of `doctor`, in order and within a minute."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

import attrs

from restream_async._util.clock import Clock
from restream_async._util.redaction import MASK
from restream_async.cli.doctor.connection_checks import ConnectionChecks
from restream_async.cli.doctor.list_call import INVENTED_VIDEO, Asker
from restream_async.cli.doctor.network import Way
from restream_async.cli.doctor.results import Finding, Result, Status, failed, ok, skipped
from restream_async.cli.doctor.service_checks import ServiceChecks
from restream_async.cli.errors import CliError
from restream_async.cli.hints import command
from restream_async.cli.options.connection import ConnectionOptions, settings_for, tls_for
from restream_async.cli.options.nats import NatsCliOptions
from restream_async.settings import Settings

Check: TypeAlias = Callable[[], Awaitable[Finding]]

_CHECK_SECONDS: Final = 10.0
_ALL_SECONDS: Final = 55.0
STEP_SECONDS: Final = 9.5
"""Seconds for a connection or a request: less than a check has, so that it can say what is late."""
_TOO_SLOW: Final = (
    "Something on the way takes too long: try again, and check the network and the service."
)
_CLOCK: Final = "clock"


@attrs.define(kw_only=True)
class Examination:
    """Makes the checks, and reports each result at once.

    Attributes:
        connection: how to reach the service.
        nats: how to reach the NATS server.
        video_id: the video to list; None for an invented one.
        report: gets each result.
        clock: the source of time.

    """

    connection: ConnectionOptions
    nats: NatsCliOptions
    video_id: str | None
    report: Callable[[Result], object]
    clock: Clock = attrs.field(factory=Clock)
    results: list[Result] = attrs.field(init=False, factory=list[Result])
    _until: float = attrs.field(init=False, default=0.0)

    async def run(self) -> bool:
        """Make all checks; return whether none failed."""
        self._until = self.clock.now() + _ALL_SECONDS
        await self._examine_service()
        if self.nats.is_given:
            await self._examine_broker()
        return all(each.status is not Status.FAILED for each in self.results)

    async def _examine_service(self) -> None:
        try:
            settings = settings_for(self.connection)
            way = Way.of(settings, tls_for(self.connection))
        except CliError as error:
            self._note("settings", failed(*_message_and_advice(error)))
            return
        self._note("settings", _settings(settings))
        self._note("proxy", _proxy(settings))
        layers = ConnectionChecks(way=way, clock=self.clock, timeout=STEP_SECONDS)
        asker = Asker(
            settings=settings,
            way=way,
            video_id=self.video_id or INVENTED_VIDEO,
            clock=self.clock,
            timeout=STEP_SECONDS,
        )
        service = ServiceChecks(asker)
        await self._make([*_checks_of_connection(layers), *_checks_of_service(service)])

    async def _examine_broker(self) -> None:
        try:
            options = self.nats.options()
        except CliError as error:
            self._note("NATS settings", failed(*_message_and_advice(error)))
            return
        from restream_async.cli.doctor.broker_checks import BrokerChecks  # noqa: PLC0415 - the extra

        broker = BrokerChecks(options=options, subjects=self.nats.names)
        try:
            await self._make(
                [
                    ("NATS server", broker.server),
                    ("NATS permissions", broker.permissions),
                    ("NATS streams", broker.streams),
                    ("NATS limits", broker.limits),
                ]
            )
        finally:
            await broker.close()

    async def _make(self, checks: list[tuple[str, Check | Finding]]) -> None:
        """Make checks that each need those before, but for the clock, which needs an answer."""
        broken = ""
        for name, check in checks:
            if isinstance(check, Finding):
                finding = check
            elif broken and name != _CLOCK:
                finding = skipped(f"{broken} failed")
            else:
                finding = await self._timed(check)
            self._note(name, finding)
            if finding.status is Status.FAILED and not broken:
                broken = name

    async def _timed(self, check: Check) -> Finding:
        seconds = min(_CHECK_SECONDS, self._until - self.clock.now())
        if seconds <= 0:
            return skipped(f"the earlier checks took {_ALL_SECONDS:.0f} s")
        try:
            async with asyncio.timeout(seconds):
                return await check()
        except TimeoutError:
            return failed(f"no result within {seconds:.0f} s", _TOO_SLOW)

    def _note(self, name: str, finding: Finding) -> None:
        result = Result(
            check=name, status=finding.status, detail=finding.detail, advice=finding.advice
        )
        self.results.append(result)
        self.report(result)


def _checks_of_connection(layers: ConnectionChecks) -> Iterator[tuple[str, Check | Finding]]:
    way = layers.way
    suffix = "" if way.proxy is None else " of the proxy"
    yield f"DNS{suffix}", layers.dns
    yield f"TCP{suffix}", layers.tcp
    if way.has_encrypted_proxy:
        yield f"TLS{suffix}", layers.proxy_tls
    if way.has_tunnel:
        yield "tunnel", layers.tunnel
    if not way.has_tls:
        yield "TLS", skipped("not used, the base URL is plain http://")
    elif way.has_tunnel:
        yield "TLS through the tunnel", layers.tls
    else:
        yield "TLS", layers.tls


def _checks_of_service(service: ServiceChecks) -> Iterator[tuple[str, Check | Finding]]:
    yield "HTTP", service.http
    yield "envelope", service.envelope
    yield "API key", service.api_key
    yield _CLOCK, service.clock
    yield "list call", service.list_call


def _settings(settings: Settings) -> Finding:
    key = settings.authorization.replace(settings.api_key, MASK)
    return ok(f"{settings.base_url}, project {settings.project_id}, API key {key}")


def _proxy(settings: Settings) -> Finding:
    proxy = settings.proxy
    if proxy is None:
        return ok("none")
    login = ", with a login" if proxy.authorization else ""
    return ok(f"{proxy.url} from {proxy.variable or '--proxy'}{login}")


def _message_and_advice(error: CliError) -> tuple[str, str]:
    return str(error), f"{command('config')} shows every setting and where it comes from."
