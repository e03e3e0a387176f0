"""Private: checks of the NATS server, its streams and its limits. They only read."""

import json
import re
from typing import Final

import attrs
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from restream_async._util.redaction import redact
from restream_async.cli.doctor.permissions import PublishPermissions
from restream_async.cli.doctor.results import Finding, failed, ok, skipped, warning
from restream_async.cli.output.console import plural, safe
from restream_async.errors import ConfigurationError
from restream_async.models import LONGEST_TEXT
from restream_async.worker.nats_connection import (
    NATS_ERRORS,
    NatsOptions,
    close,
    jetstream_setup,
)
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
        wanted = [names.commands, names.outcomes, names.dead, f"$JS.API.STREAM.INFO.{names.stream}"]
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
        jetstream = self._jetstream
        names = self.subjects
        found: list[str] = []
        full: list[str] = []
        try:
            with jetstream_setup():
                for name in (names.stream, names.outcomes_stream, names.dead_stream):
                    try:
                        info = await jetstream.stream_info(name)
                    except nats.js.errors.NotFoundError:
                        found.append(f"{name}: does not exist yet")
                        continue
                    found.append(f"{name}: {plural(info.state.messages, 'message')}")
                    limits = (
                        (info.state.messages, info.config.max_msgs),
                        (info.state.bytes, info.config.max_bytes),
                    )
                    full += [name] if any(_is_nearly_full(*each) for each in limits) else []
        except ConfigurationError as error:
            return self._without_jetstream(error)
        detail = ", ".join(found)
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
        except ConfigurationError as error:
            return self._without_jetstream(error)
        used = [
            ("storage", account.storage, account.limits.max_storage, _MEBIBYTE, " MiB"),
            ("streams", account.streams, account.limits.max_streams, 1, ""),
            ("consumers", account.consumers, account.limits.max_consumers, 1, ""),
        ]
        parts = [f"messages up to {payload:,} bytes"]
        parts += [
            f"{what}: {count / unit:,.0f}{name} of {_limit(most, unit, name)}"
            for what, count, most, unit, name in used
        ]
        full = [what for what, count, most, *_ in used if _is_nearly_full(count, most)]
        detail = ", ".join(parts)
        if full:
            return warning(
                f"{detail}; nearly used up: {', '.join(full)}",
                "Raise the limits of JetStream for the account of the user.",
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


def _is_nearly_full(used: int, most: int | None) -> bool:
    return most is not None and most > 0 and used >= _NEARLY_FULL * most


def _limit(most: int, unit: int, name: str) -> str:
    return f"{most / unit:,.0f}{name}" if most > 0 else "any number" if unit == 1 else "any size"
