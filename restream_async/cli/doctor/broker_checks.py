"""Private: checks of the NATS server, its streams and its limits. They only read."""

import json
import re
from typing import Final

import attrs
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamInfo

from restream_async._field_checks import LONGEST_TEXT
from restream_async._util.redaction import redact
from restream_async.cli.doctor.permissions import PublishPermissions
from restream_async.cli.doctor.results import Finding, failed, ok, skipped, warning
from restream_async.cli.output.console import plural, safe
from restream_async.errors import ConfigurationError
from restream_async.worker.nats_connection import (
    NATS_ERRORS,
    NatsOptions,
    close,
    jetstream_setup,
)
from restream_async.worker.streams import WantedStream, wanted_streams
from restream_async.worker.subjects import Subjects

_ERRNO: Final = re.compile(r"\[Errno -?\d+\] ")
_USER_INFO: Final = "$SYS.REQ.USER.INFO"
_REQUEST_SECONDS: Final = 2.0
_NEARLY_FULL: Final = 0.9
_LONGEST_COMMAND: Final = 4 * LONGEST_TEXT
"""Bytes of a command whose four texts are as long as they may be, in ASCII."""
_MEBIBYTE: Final = 2**20
_CHECK_SERVER: Final = (
    "Check the address (RESTREAM_NATS_URL or --nats-url), whether the server runs, and the "
    "firewalls in between."
)
_CHECK_LOGIN: Final = (
    "Check the login: the user and the password in RESTREAM_NATS_URL, or the file of --nats-creds "
    "or --nats-nkey."
)
_CHECK_TLS: Final = "Check --nats-ca, and whether the address begins with tls:// or nats://."
_ENABLE: Final = (
    "Enable JetStream on the server (`nats-server -js`) and for the account of the user."
)


@attrs.define(kw_only=True)
class BrokerChecks:
    """Checks the NATS server; each check needs the first one.

    Attributes:
        options: how to reach the server.
        subjects: the names of streams and subjects.

    """

    options: NatsOptions
    subjects: Subjects
    _connection: Client | None = attrs.field(init=False, default=None)

    async def server(self) -> Finding:
        """Connect and log in."""
        try:
            self._connection = connection = await self.options.connect()
        except ConfigurationError as error:
            problem = _ERRNO.sub("", str(error))
            return failed(problem, _advice(problem))
        version = str(connection.connected_server_version).strip("<>")
        return ok(f"connected to {self.options.shown}, {safe(version)}")

    async def permissions(self) -> Finding:
        """Check whether the user may publish what `enqueue` and `worker` publish."""
        try:
            answer = await self._connected.request(_USER_INFO, timeout=_REQUEST_SECONDS)
            permissions = PublishPermissions.of(json.loads(answer.data))
        except (*NATS_ERRORS, ValueError, AttributeError):
            return skipped("the server does not tell them")
        if permissions.is_unlimited:
            return ok("the user may publish to every subject")
        names = self.subjects
        wanted = [
            names.commands,
            names.outcomes,
            names.dead,
            names.dead_commands,
            f"$JS.API.STREAM.INFO.{names.stream}",
        ]
        missing = [each for each in wanted if not permissions.permits(each)]
        if missing:
            return warning(
                f"the user may not publish to {', '.join(missing)}",
                f"enqueue needs {names.commands}, worker the others: ask for them, or for another "
                "login.",
            )
        return ok("the user may publish what enqueue and worker publish")

    async def streams(self) -> Finding:
        """Read what is on the streams, without making any."""
        wanted = wanted_streams(self.subjects)
        try:
            with jetstream_setup():
                infos = [await self._stream(each.name) for each in wanted]
        except ConfigurationError as error:
            return self._without_jetstream(error)
        found = list(zip(wanted, infos, strict=True))
        detail = ", ".join(f"{each.name}: {_content(info)}" for each, info in found)
        wrong = [_problem(each, info) for each, info in found if info is not None]
        full = [each.name for each, info in found if info is not None and _is_full(info)]
        if any(wrong):
            return failed(detail, f"{'; '.join(filter(None, wrong))}.")
        if full:
            return warning(
                f"{detail}; nearly full: {', '.join(full)}",
                "Raise the limits of the stream, or let workers empty it.",
            )
        return ok(detail)

    async def limits(self) -> Finding:
        """Compare what is used with the limits of the server and of the account."""
        payload = self._connected.max_payload
        try:
            with jetstream_setup():
                account = await self._jetstream.account_info()
        except ConfigurationError:
            # Neither enqueue nor worker asks for them.
            return skipped(f"the server does not tell them, but messages up to {payload:,} bytes")
        most = account.limits
        detail = (
            f"messages up to {payload:,} bytes, "
            f"storage: {_of_most(account.storage, most.max_storage, _MEBIBYTE)}, "
            f"streams: {_of_most(account.streams, most.max_streams)}, "
            f"consumers: {_of_most(account.consumers, most.max_consumers)}"
        )
        if _is_nearly(account.storage, most.max_storage):
            return warning(
                f"{detail}; the storage is nearly used up",
                "Raise the storage of JetStream for the account of the user.",
            )
        if payload < _LONGEST_COMMAND:
            return warning(
                detail,
                f"Commands with very long texts have up to {_LONGEST_COMMAND:,} bytes: raise "
                "max_payload of the server if yours are so long.",
            )
        return ok(detail)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await close(self._connection)

    @property
    def _connected(self) -> Client:
        if self._connection is None:
            raise AssertionError("`server` comes first")
        return self._connection

    @property
    def _jetstream(self) -> JetStreamContext:
        return self._connected.jetstream(timeout=_REQUEST_SECONDS)  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    async def _stream(self, name: str) -> StreamInfo | None:
        try:
            return await self._jetstream.stream_info(name)
        except nats.js.errors.NotFoundError:
            return None

    def _without_jetstream(self, error: ConfigurationError) -> Finding:
        last = self._connected.last_error
        if isinstance(last, nats.errors.Error) and "permissions" in str(last).lower():
            denied = safe(redact(str(last), self.options.secrets))
            return failed(
                f"JetStream does not answer ({denied})",
                "Allow the user to publish to $JS.API.> and to subscribe to _INBOX.>.",
            )
        return failed(str(error), _ENABLE)


def _advice(problem: str) -> str:
    lower = problem.lower()
    if any(word in lower for word in ("authorization", "authentication", "log in", "nkey", "jwt")):
        return _CHECK_LOGIN
    if any(word in lower for word in ("tls", "ssl", "certificate", "secure")):
        return _CHECK_TLS
    return _CHECK_SERVER


def _content(info: StreamInfo | None) -> str:
    return "does not exist yet" if info is None else plural(info.state.messages, "message")


def _problem(wanted: WantedStream, info: StreamInfo) -> str:
    """Return why a worker would refuse an existing stream, or nothing."""
    try:
        wanted.check(info.config)
    except ConfigurationError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}"
    return ""


def _is_full(info: StreamInfo) -> bool:
    state, config = info.state, info.config
    return _is_nearly(state.messages, config.max_msgs) or _is_nearly(state.bytes, config.max_bytes)


def _is_nearly(used: int, most: int | None) -> bool:
    """Return whether a limit is nearly reached; NATS has -1 or 0 where there is none."""
    return most is not None and most > 0 and used >= _NEARLY_FULL * most


def _of_most(used: int, most: int, unit: int = 1) -> str:
    """Return for example `3 of 10`, `8 MiB of 8 MiB` or `3 (no limit)`."""
    name = " MiB" if unit == _MEBIBYTE else ""
    limit = f" of {most / unit:,.0f}{name}" if most > 0 else " (no limit)"
    return f"{used / unit:,.0f}{name}{limit}"
