"""How to reach the NATS server: address, login and TLS, as users of NATS expect them."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs
import nats.errors
import nats.js.errors
import nkeys  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from nats.aio.client import Client
from nats.js import JetStreamContext

from restream_async._util.redaction import redact
from restream_async._util.stray_characters import stray
from restream_async._util.text_files import NoTextError, text_of_file
from restream_async.errors import ConfigurationError
from restream_async.worker.subjects import FILE_VARIABLES, URL_VARIABLE
from restream_async.worker.tls_only import TlsOnlyClient

UNREACHABLE: Final = (nats.errors.Error, OSError, TimeoutError)
"""What nats-py raises where the server does not answer, or not as it should."""

# Forever: a worker outlives every restart of the server.
_NO_END: Final = -1
_RECONNECT_SECONDS: Final = 1
_CONNECT_SECONDS: Final = 5
_CLOSE_SECONDS: Final = 1.0


@attrs.frozen(kw_only=True)
class NatsOptions:
    """Where the NATS server is, and as whom to connect to it.

    Attributes:
        url: one or more addresses, separated by commas: `nats://host:4222`, or `tls://…` where
            nothing may travel unencrypted. May hold user and password, or a token, percent-encoded
            where need be; those of the first address that has some count for all.
        credentials: a `.creds` file, as `nsc` and Synadia make them.
        nkey: a file with the seed of a user's NKey.
        ca: a PEM file with the authorities that may vouch for the server; else those of the system.
        certificate: a PEM file with a certificate of our own, for servers that ask for one.
        key: a PEM file with its key, where that is not in the same file.

    Raises:
        ConfigurationError: the address cannot be read, or the options contradict each other.

    """

    url: str = attrs.field(repr=False)
    credentials: Path | None = None
    nkey: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __attrs_post_init__(self) -> None:
        """Check what can be checked without a server."""
        # Spaces around a comma belong to the list.
        for part in self.url.split(","):
            if problem := stray(part.strip(" "), "spaces"):
                raise ConfigurationError(f"the address of the NATS server {problem}")
        if not all(part.hostname for part in self._addresses()):
            raise ConfigurationError(
                "the address of the NATS server cannot be read: it must be such as "
                "nats://127.0.0.1:4222"
            )
        if self.credentials is not None and self.nkey is not None:
            raise ConfigurationError(
                "a credentials file and an NKey are given for the NATS server: one is enough"
            )
        if self.key is not None and self.certificate is None:
            raise ConfigurationError("a key for the NATS server is given without its certificate")

    @classmethod
    def resolve(cls, url: str | None = None, **files: Path | None) -> "NatsOptions":
        """Take each from the arguments, else from the environment: RESTREAM_NATS_URL and others.

        Raises:
            ConfigurationError: there is no address, or something is wrong with the options.

        """
        found = url or os.environ.get(URL_VARIABLE)
        if not found:
            raise ConfigurationError(
                f"the NATS server is missing: set {URL_VARIABLE}, such as nats://127.0.0.1:4222"
            )
        for name, variable in FILE_VARIABLES.items():
            if files.get(name) is None and (path := os.environ.get(variable)):
                files[name] = Path(path)
        return cls(url=found, **files)

    @property
    def servers(self) -> list[str]:
        """The addresses, without users, passwords and tokens."""
        return [
            part._replace(netloc=part.netloc.rpartition("@")[2]).geturl()
            for part in self._addresses()
        ]

    @property
    def shown(self) -> str:
        """The addresses as anyone may see them."""
        return ", ".join(self.servers)

    @property
    def login(self) -> tuple[str, str | None] | None:
        """User and password, or a token and None, as they stand in an address; None: neither."""
        for part in self._addresses():
            # An empty user as in nats://:password@… is one that NATS does not know either.
            if part.username:
                return unquote(part.username), unquote(part.password) if part.password else None
        return None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat."""
        parts = [part.netloc.rpartition("@")[0] for part in self._addresses()]
        plain = [each for part in parts for each in (part, *part.split(":")) if each]
        return (*plain, *map(unquote, plain))

    @property
    def wants_tls(self) -> bool:
        """Whether nothing may travel unencrypted."""
        schemes = {part.scheme for part in self._addresses()}
        return "tls" in schemes or self.ca is not None or self.certificate is not None

    def tls(self) -> ssl.SSLContext | None:
        """Return a context for TLS where an option asks for one of its own.

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

    def seed(self) -> str | None:
        """Return what the file of the NKey holds; None: there is none.

        Raises:
            ConfigurationError: it cannot be read, or is no seed.

        """
        return _read(self.nkey, _wrong_seed) if self.nkey is not None else None

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
            ConfigurationError: the server cannot be reached, does not let us in, or speaks no TLS
                where that is wanted.

        """
        if self.credentials is not None:
            _read(self.credentials, _wrong_credentials)
        last: list[str] = []

        async def note(error: Exception) -> None:
            last.append(str(error) or type(error).__name__)

        extra = self._security()
        connection = TlsOnlyClient() if self.wants_tls else Client()
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
            connection.options.update({"allow_reconnect": True, **self.arguments()})
        except (*UNREACHABLE, ValueError, nkeys.NkeysError) as error:
            last.append(str(error) or type(error).__name__)
        except asyncio.CancelledError:
            await close(connection)
            raise
        else:
            return connection
        # What it has opened so far, nobody else closes.
        await close(connection)
        problem = redact(last[0].removeprefix("nats: "), self.secrets)
        raise ConfigurationError(f"cannot connect to the NATS server at {self.shown}: {problem}")

    def _security(self) -> dict[str, Any]:
        """Return the login and TLS in the words of nats-py."""
        found: dict[str, Any] = {}
        if (context := self.tls()) is not None:
            found["tls"] = context
        if self.credentials is not None:
            found["user_credentials"] = str(self.credentials)
        elif (seed := self.seed()) is not None:
            found["nkeys_seed_str"] = seed
        elif self.login is not None:
            name, password = self.login
            found |= {"token": name} if password is None else {"user": name, "password": password}
        return found

    def _addresses(self) -> list[SplitResult]:
        parts = [part.strip(" ") for part in self.url.split(",") if part.strip(" ")]
        # NATS takes a bare host:4222 too.
        return [urlsplit(part if "://" in part else f"nats://{part}") for part in parts]


async def close(connection: Client) -> None:
    """Close a connection; nats-py raises where it is just being lost.

    After TLS that failed nats-py would wait for ever: asyncio never tells it that the connection
    is closed. And where it is being lost, asyncio of Python 3.13 raises a TypeError, and uvloop a
    RuntimeError.
    """
    with contextlib.suppress(*UNREACHABLE, TypeError, RuntimeError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def jetstream_of(connection: Client) -> JetStreamContext:
    """Return the JetStream of a connection."""
    return connection.jetstream()  # pyright: ignore[reportUnknownMemberType] - untyped keywords


@contextlib.contextmanager
def explained() -> Generator[None]:
    """Say in one sentence what JetStream refuses while streams and consumers are set up.

    Raises:
        ConfigurationError: it refuses, or does not answer.

    """
    try:
        yield
    except nats.js.errors.APIError as error:
        problem = error.description or "it is not enabled there"
    except UNREACHABLE as error:
        problem = str(error) or type(error).__name__
    else:
        return
    raise ConfigurationError(
        f"JetStream of the NATS server cannot be used: {problem.removeprefix('nats: ')}"
    )


def _read(path: Path, wrong: Callable[[str], str]) -> str:
    """Return what a file holds; refuse what nats-py would stumble over.

    Raises:
        ConfigurationError: it cannot be read, or something is wrong with it.

    """
    text = ""
    try:
        text = text_of_file(path.read_bytes())
        problem = wrong(text)
    except NoTextError as error:
        problem = f"it {error}"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"{path} cannot be used to log in to the NATS server: {problem}")
    return text


def _wrong_credentials(text: str) -> str:
    good = "BEGIN NATS USER JWT" in text and "BEGIN USER NKEY SEED" in text
    return "" if good else "it holds no JWT with its seed"


def _wrong_seed(text: str) -> str:
    if problem := stray(text, "visible"):
        return f"what it holds {problem}"
    with contextlib.suppress(nkeys.NkeysError, ValueError):
        nkeys.from_seed(bytearray(text, "ascii"))  # pyright: ignore[reportUnknownMemberType] - untyped
        return ""
    return "it holds no seed"
