"""How to reach the NATS server: address, credentials and TLS, as users of NATS expect them."""

import contextlib
import os
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from restream_async.errors import ConfigurationError
from restream_async.redaction import redact
from restream_async.worker.names import URL_VARIABLE

# Forever: a worker outlives every restart of the server.
_NO_END: Final = -1
_RECONNECT_SECONDS: Final = 1
_CONNECT_SECONDS: Final = 5


@attrs.frozen(kw_only=True)
class NatsOptions:
    """Where the NATS server is, and as whom to connect to it.

    Attributes:
        url: one or more addresses, separated by commas: `nats://host:4222`, `tls://…`; may hold
            user and password, or a token.
        credentials: a `.creds` file, as `nsc` and Synadia make them.
        ca: a PEM file with the authorities that may vouch for the server; else those of the system.
        certificate: a PEM file with a certificate of our own, for servers that ask for one.
        key: a PEM file with its key.

    """

    url: str = attrs.field(repr=False)
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def resolve(cls, url: str | None, **files: Path | None) -> "NatsOptions":
        """Take the address from the argument, else from RESTREAM_NATS_URL.

        Raises:
            ConfigurationError: there is none.

        """
        found = url or os.environ.get(URL_VARIABLE)
        if not found:
            raise ConfigurationError(
                f"the NATS server is missing: set {URL_VARIABLE}, such as nats://127.0.0.1:4222"
            )
        return cls(url=found, **files)

    @property
    def servers(self) -> list[str]:
        """The addresses."""
        return [part.strip() for part in self.url.split(",") if part.strip()]

    @property
    def shown(self) -> str:
        """The addresses as anyone may see them: without users, passwords and tokens."""
        return ", ".join(map(_shown, self.servers))

    def tls(self) -> ssl.SSLContext | None:
        """Return a context for TLS where an option asks for one.

        Raises:
            ConfigurationError: a file cannot be used.

        """
        if self.ca is None and self.certificate is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            return context
        raise ConfigurationError(f"the files for TLS to the NATS server cannot be used: {problem}")

    def arguments(self) -> dict[str, Any]:
        """Return how a connection that lasts behaves, for nats-py and FastStream alike."""
        return {
            "max_reconnect_attempts": _NO_END,
            "reconnect_time_wait": _RECONNECT_SECONDS,
            "connect_timeout": _CONNECT_SECONDS,
        }

    async def connect(self) -> Client:
        """Connect, or say why not; a connection that was there once comes back by itself.

        Raises:
            ConfigurationError: the server cannot be reached, or does not let us in.

        """
        if self.credentials is not None and not self.credentials.is_file():
            raise ConfigurationError(f"there is no credentials file {self.credentials}")
        last: list[str] = []

        async def note(error: Exception) -> None:
            last.append(str(error) or type(error).__name__)

        extra: dict[str, Any] = {}
        if (context := self.tls()) is not None:
            extra["tls"] = context
        if self.credentials is not None:
            extra["user_credentials"] = str(self.credentials)
        connection = Client()
        try:
            await connection.connect(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
                self.servers,
                error_cb=note,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_SECONDS,
                **extra,
            )
        except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
            last.append(str(error) or type(error).__name__)
            # What it has opened so far, nobody else closes.
            await close(connection)
        else:
            connection.options.update({"allow_reconnect": True, **self.arguments()})
            return connection
        problem = redact(last[0].removeprefix("nats: "), self.secrets)
        raise ConfigurationError(f"cannot connect to the NATS server at {self.shown}: {problem}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat."""
        found: list[str] = []
        for server in self.servers:
            user_info = urlsplit(server).netloc.rpartition("@")[0]
            found += [part for part in (user_info, *user_info.split(":")) if part]
        return tuple(found)


async def close(connection: Client) -> None:
    """Close a connection; nats-py raises where it is just being lost."""
    with contextlib.suppress(nats.errors.Error, OSError):
        await connection.close()


def jetstream_of(connection: Client) -> JetStreamContext:
    """Return the JetStream of a connection."""
    return connection.jetstream()  # pyright: ignore[reportUnknownMemberType] - untyped keywords


def _shown(server: str) -> str:
    head, at, tail = server.rpartition("@")
    if not at:
        return server
    scheme, separator, _ = head.partition("://")
    return f"{scheme}{separator}{tail}" if separator else tail
