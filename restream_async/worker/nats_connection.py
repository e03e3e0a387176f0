"""The connection to the NATS server: address, login and TLS, as NATS's own tools take them."""

import asyncio
import contextlib
import logging
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
from restream_async.worker.subjects import URL_VARIABLE, nats_variables
from restream_async.worker.tls_only import TlsOnlyClient

NATS_ERRORS: Final = (nats.errors.Error, OSError, TimeoutError)
"""What nats-py raises if the server cannot be reached, or does not answer as expected."""

_RECONNECT_SECONDS: Final = 1
_CONNECT_SECONDS: Final = 5
# Seconds between two pings. A connection counts as lost when two in a row stay without an answer,
# for example because the machine of the server has lost its power. nats-py's default is 120.
_PING_SECONDS: Final = 10
_CLOSE_SECONDS: Final = 1.0

_log: Final = logging.getLogger("restream_async.worker")


@attrs.frozen(kw_only=True)
class NatsOptions:
    """How to reach the NATS server, and how to log in.

    Attributes:
        url: one or more addresses, separated by commas: `nats://host:4222`, or `tls://…` if nothing
            may be sent unencrypted. May hold user and password, or a token, percent-encoded where
            needed; the first login found counts for all addresses.
        credentials: a `.creds` file, as `nsc` and Synadia make them.
        nkey: a file with the seed of a user's NKey.
        ca: a PEM file with the authorities that may sign the server's certificate; None: those of
            the system.
        certificate: a PEM file with a client certificate, for servers that ask for one.
        key: a PEM file with its key, if that is not in the same file.

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
        # Spaces around a comma are allowed.
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
        """Return the options from the arguments, else from RESTREAM_NATS_URL and similar variables.

        Raises:
            ConfigurationError: there is no address, or the options are wrong.

        """
        found = nats_variables()
        address = url or found.get("url")
        if not address:
            raise ConfigurationError(
                f"the NATS server is missing: set {URL_VARIABLE}, such as nats://127.0.0.1:4222"
            )
        paths = {name: Path(path) for name, path in found.items() if name != "url"}
        paths |= {name: path for name, path in files.items() if path is not None}
        return cls(url=address, **paths)

    @property
    def servers(self) -> list[str]:
        """The addresses, without users, passwords and tokens."""
        return [
            part._replace(netloc=part.netloc.rpartition("@")[2]).geturl()
            for part in self._addresses()
        ]

    @property
    def shown(self) -> str:
        """The addresses as one text without secrets."""
        return ", ".join(self.servers)

    @property
    def login(self) -> tuple[str, str | None] | None:
        """User and password, or a token and None, from an address; None: there is neither."""
        for part in self._addresses():
            # NATS ignores an empty user too, as in nats://:password@…
            if part.username:
                return unquote(part.username), unquote(part.password) if part.password else None
        return None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of the addresses, which no text may repeat."""
        parts = [part.netloc.rpartition("@")[0] for part in self._addresses()]
        plain = [each for part in parts for each in (part, *part.split(":")) if each]
        return (*plain, *map(unquote, plain))

    @property
    def wants_tls(self) -> bool:
        """Whether nothing may be sent unencrypted."""
        schemes = {part.scheme for part in self._addresses()}
        return "tls" in schemes or self.ca is not None or self.certificate is not None

    def tls(self) -> ssl.SSLContext | None:
        """Return a TLS context if an option asks for one of its own.

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

    async def connect(self) -> Client:
        """Connect. A connection that is lost later comes back by itself.

        Raises:
            ConfigurationError: the server cannot be reached, refuses the login, or has no TLS where
                the options ask for it; or a file cannot be used.

        """
        problems: list[str] = []

        async def note(error: Exception) -> None:
            problem = redact(str(error) or type(error).__name__, self.secrets)
            if problem not in problems:
                problems.append(problem)
                _log.info("NATS: %s", problem)

        arguments = self._security()
        connection = TlsOnlyClient() if self.wants_tls else Client()
        try:
            await connection.connect(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
                self.servers,
                error_cb=note,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_SECONDS,
                ping_interval=_PING_SECONDS,
                **arguments,
            )
            # The first connection fails at once; later ones are tried without end, as a worker
            # outlives every restart of the server.
            connection.options |= {
                "allow_reconnect": True,
                "max_reconnect_attempts": -1,
                "reconnect_time_wait": _RECONNECT_SECONDS,
            }
        except (*NATS_ERRORS, ValueError, nkeys.NkeysError) as error:
            problems.append(redact(str(error) or type(error).__name__, self.secrets))
        except asyncio.CancelledError:
            await close(connection)
            raise
        else:
            return connection
        # nats-py leaves open what it has opened so far.
        await close(connection)
        problem = problems[0].removeprefix("nats: ")
        raise ConfigurationError(f"cannot connect to the NATS server at {self.shown}: {problem}")

    def _security(self) -> dict[str, Any]:
        """Return login and TLS as nats-py's arguments."""
        found: dict[str, Any] = {}
        if (context := self.tls()) is not None:
            found["tls"] = context
        if self.credentials is not None:
            _read(self.credentials, _credentials_problem)
            found["user_credentials"] = str(self.credentials)
        elif self.nkey is not None:
            found["nkeys_seed_str"] = _read(self.nkey, _seed_problem)
        elif self.login is not None:
            name, password = self.login
            found |= {"token": name} if password is None else {"user": name, "password": password}
        return found

    def _addresses(self) -> list[SplitResult]:
        parts = [part.strip(" ") for part in self.url.split(",") if part.strip(" ")]
        # NATS allows host:4222 without a scheme too.
        return [urlsplit(part if "://" in part else f"nats://{part}") for part in parts]


async def close(connection: Client) -> None:
    """Close a connection within a second, and ignore errors.

    If the connection is being lost, nats-py raises what the event loop raises: in asyncio of Python
    3.13 a TypeError or AttributeError, in uvloop a RuntimeError. After failed TLS it would wait
    without end, because asyncio never reports the connection as closed.
    """
    with contextlib.suppress(*NATS_ERRORS, TypeError, AttributeError, RuntimeError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def jetstream_of(connection: Client) -> JetStreamContext:
    """Return the JetStream of a connection."""
    return connection.jetstream()  # pyright: ignore[reportUnknownMemberType] - untyped keywords


@contextlib.contextmanager
def jetstream_setup() -> Generator[None]:
    """Turn errors of JetStream into one sentence while streams and consumers are set up.

    Raises:
        ConfigurationError: JetStream refuses, or does not answer.

    """
    try:
        yield
    except nats.js.errors.APIError as error:
        problem = error.description or "it is not enabled there"
    except NATS_ERRORS as error:
        problem = str(error) or type(error).__name__
    else:
        return
    raise ConfigurationError(
        f"JetStream of the NATS server cannot be used: {problem.removeprefix('nats: ')}"
    )


def _read(path: Path, problem_of: Callable[[str], str]) -> str:
    """Return the content of a login file.

    Args:
        path: of the file.
        problem_of: returns what is wrong with the content, or an empty text.

    Raises:
        ConfigurationError: the file cannot be read, or its content is wrong.

    """
    text = ""
    try:
        text = text_of_file(path.read_bytes())
        problem = problem_of(text)
    except NoTextError as error:
        problem = f"it {error}"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"{path} cannot be used to log in to the NATS server: {problem}")
    return text


def _credentials_problem(text: str) -> str:
    good = "BEGIN NATS USER JWT" in text and "BEGIN USER NKEY SEED" in text
    return "" if good else "it holds no JWT with its seed"


def _seed_problem(text: str) -> str:
    if problem := stray(text, "visible"):
        return f"what it holds {problem}"
    with contextlib.suppress(nkeys.NkeysError, ValueError):
        nkeys.from_seed(bytearray(text, "ascii"))  # pyright: ignore[reportUnknownMemberType] - untyped
        return ""
    return "it holds no seed"
