"""Address, login and TLS with real servers; and no secret in any text."""

import asyncio
import contextlib
import logging
import re
import signal
import ssl
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import attrs
import nkeys  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import pytest
import trustme
from nats.aio.client import Client
from nats.js import JetStreamContext

from restream_async import ConfigurationError, RestreamClient
from restream_async._util.clock import Clock
from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import Consumer, declare_consumer
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.run import Worker
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import FILE_VARIABLES, Subjects
from tests.helpers.clients import client_of
from tests.helpers.nats_identities import Identity, operator_mode
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until
from tests.helpers.worker_fleet import stored_count, wanted

SECRET = "SECRET-of-nats/@:%"  # needs percent-encoding in a URL
QUOTED = "SECRET-of-nats%2F%40%3A%25"


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.nats_connection._CLOSE_SECONDS", 0.2)
    monkeypatch.setattr("restream_async.worker.pull_loop._FETCH_SECONDS", 0.5)


@attrs.frozen
class Authority:
    """A certificate authority, and files with its certificates."""

    folder: Path
    authority: trustme.CA = attrs.field(factory=trustme.CA)

    @property
    def ca(self) -> Path:
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return path

    def certificate(self, name: str) -> Path:
        path = self.folder / "both.pem"
        self.authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def serve(self, *more: str) -> list[str]:
        issued = self.authority.issue_cert("127.0.0.1")
        key, certificate = self.folder / "server.key", self.folder / "server.pem"
        issued.private_key_pem.write_to_path(str(key))
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        return ["--tls", "--tlscert", str(certificate), "--tlskey", str(key), *more]


def configured(server: NatsServer, text: str) -> None:
    path = server.folder / "nats.conf"
    path.write_text(text)
    server.arguments = ["-c", str(path)]


def by_password(server: NatsServer) -> NatsOptions:
    server.arguments = ["--user", "ann", "--pass", SECRET]
    return NatsOptions(url=server.url.replace("//", f"//ann:{QUOTED}@"))


def by_token(server: NatsServer) -> NatsOptions:
    server.arguments = ["--auth", SECRET]
    # The second address uses the login of the first.
    url = server.url.replace("//", f"//{QUOTED}@")
    return NatsOptions(url=f"nats://127.0.0.1:1, {url}")


def by_nkey(server: NatsServer) -> NatsOptions:
    user = Identity.new(nkeys.PREFIX_BYTE_USER)
    configured(server, f"authorization: {{ users: [ {{ nkey: {user.public} }} ] }}")
    path = server.folder / "user.nk"
    path.write_text(user.seed)
    return NatsOptions(url=server.url, nkey=path)


def by_credentials(server: NatsServer) -> NatsOptions:
    config, credentials = operator_mode(server.folder)
    configured(server, config)
    return NatsOptions(url=server.url, credentials=credentials)


def by_tls(server: NatsServer) -> NatsOptions:
    authority = Authority(server.folder)
    server.arguments = authority.serve()
    return NatsOptions(url=server.url.replace("nats:", "tls:"), ca=authority.ca)


def by_certificate(server: NatsServer) -> NatsOptions:
    authority = Authority(server.folder)
    server.arguments = authority.serve("--tlsverify", "--tlscacert", str(authority.ca))
    return NatsOptions(url=server.url, ca=authority.ca, certificate=authority.certificate("a.b"))


def by_credentials_over_tls(server: NatsServer) -> NatsOptions:
    authority = Authority(server.folder)
    by = by_credentials(server)
    server.arguments += authority.serve()
    return attrs.evolve(by, ca=authority.ca)


ACK_WAIT = 1.0
WAYS = [
    by_password,
    by_token,
    by_nkey,
    by_credentials,
    by_tls,
    by_certificate,
    by_credentials_over_tls,
]


async def guarded(server: NatsServer, way: Callable[[NatsServer], NatsOptions]) -> NatsOptions:
    await server.stop()
    options = way(server)
    await server.start()
    return options


@contextlib.asynccontextmanager
async def working(
    options: NatsOptions, connection: Client, sandbox: Sandbox
) -> AsyncGenerator[JetStreamContext]:
    """Run a worker until it has created a restream, and while the test goes on."""
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    await declare_consumer(jetstream, Subjects(), ack_wait=ACK_WAIT)
    await jetstream.publish("restreams.commands", encode(wanted(1)))

    def client() -> RestreamClient:
        return client_of(sandbox, clock=Clock())

    worker = Worker(
        own := await options.connect(),
        WorkerSettings(concurrency=1),
        Consumer(global_concurrency=64, ack_wait=ACK_WAIT),
        b"salt",
    )
    running = asyncio.create_task(worker.run(client))
    try:
        await stored_count(sandbox, 1, 10)
        yield jetstream
    finally:
        worker.stop()
        await running
        await close(own)
        await close(connection)


@pytest.mark.parametrize("way", WAYS)
async def test_a_worker_logs_in_and_logs_no_secret_even_at_debug_level(
    way: Callable[[NatsServer], NatsOptions],
    nats_server: NatsServer,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    options = await guarded(nats_server, way)
    connection = await options.connect()

    async with working(options, connection, sandbox) as jetstream:
        # A lost connection comes back and logs in again.
        await nats_server.restart()
        await jetstream.publish("restreams.commands", encode(wanted(2)), timeout=10)
        await stored_count(sandbox, 2, 20)

    said = f"{caplog.text} {options!r} {options.shown}"
    seeds = [] if options.nkey is None else [options.nkey.read_text()]
    for secret in ("SECRET", sandbox.api_key, "SEED", *seeds):
        assert secret not in said


@pytest.mark.parametrize("way", WAYS)
async def test_a_missing_login_is_one_sentence(
    way: Callable[[NatsServer], NatsOptions], nats_server: NatsServer
) -> None:
    await guarded(nats_server, way)

    with pytest.raises(ConfigurationError, match="cannot connect to the NATS server at nats://127"):
        await NatsOptions(url=nats_server.url).connect()


async def test_an_unreachable_server_is_named_without_its_password() -> None:
    options = NatsOptions(url=f"nats://user:{QUOTED}@127.0.0.1:1")

    with pytest.raises(ConfigurationError, match=re.escape("at nats://127.0.0.1:1:")) as caught:
        await options.connect()

    assert "SECRET" not in f"{caught.value} {options!r}"
    assert caught.value.__cause__ is None


async def test_a_wrong_password_fails_at_once(nats_server: NatsServer) -> None:
    options = await guarded(nats_server, by_password)
    wrong = attrs.evolve(options, url=nats_server.url.replace("//", "//ann:wrong-one@"))

    with pytest.raises(ConfigurationError, match="Authorization Violation") as caught:
        await wrong.connect()

    assert "wrong-one" not in str(caught.value)


async def test_a_connection_to_a_server_that_falls_silent_is_lost_within_some_pings(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._PING_SECONDS", 0.1)
    connection = await NatsOptions(url=nats_server.url).connect()
    connection.options["allow_reconnect"] = False
    nats_server.send(signal.SIGSTOP)
    try:
        await until(lambda: connection.is_closed)
    finally:
        nats_server.send(signal.SIGCONT)


async def test_a_server_with_an_unknown_authority_is_not_trusted(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    options = await guarded(nats_server, by_tls)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    with pytest.raises(ConfigurationError, match="CERTIFICATE_VERIFY_FAILED"):
        await attrs.evolve(options, ca=other.ca).connect()


@attrs.define
class PlainServer:
    """Stands in for a server that asks for a password and has no TLS."""

    callers: int = 0
    heard: bytes = b""

    @contextlib.asynccontextmanager
    async def at(self, port: int) -> AsyncGenerator[None]:
        async with await asyncio.start_server(self._called, "127.0.0.1", port):
            yield

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        writer.write(b'INFO {"auth_required": true, "max_payload": 1000000, "headers": true}\r\n')
        while data := await reader.read(1000):
            self.heard += data
        writer.close()


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_if_tls_is_required_a_server_without_it_gets_nothing(
    scheme: str, nats_server: NatsServer, tmp_path: Path
) -> None:
    ca = Authority(tmp_path).ca if scheme == "nats" else None
    options = NatsOptions(url=f"{scheme}://ann:{QUOTED}@127.0.0.1:{nats_server.port}", ca=ca)
    plain = PlainServer()
    await nats_server.stop()

    async with plain.at(nats_server.port):
        with pytest.raises(ConfigurationError, match="secure connection not available"):
            await options.connect()

    assert (plain.callers, plain.heard) == (1, b"")


async def test_a_reconnection_requires_tls_like_the_first_connection(
    nats_server: NatsServer, sandbox: Sandbox
) -> None:
    options = await guarded(nats_server, by_tls)
    options = attrs.evolve(options, url=options.url.replace("//", f"//ann:{QUOTED}@"))
    connection = await options.connect()
    plain = PlainServer()

    async with working(options, connection, sandbox) as jetstream:
        await nats_server.stop()
        async with plain.at(nats_server.port):
            # Both connect, and more than once.
            await until(lambda: plain.callers >= 8)
        assert plain.heard == b""
        await nats_server.start()
        await jetstream.publish("restreams.commands", encode(wanted(2)), timeout=10)
        await stored_count(sandbox, 2, 20)


@pytest.mark.parametrize("kind", ["credentials", "nkey"])
@pytest.mark.parametrize("held", [b"SECRET that is none", b"SECRET\xff", b"SUSECRET", None])
async def test_a_wrong_login_file_is_one_sentence(
    kind: str, held: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "login"
    if held is not None:
        path.write_bytes(held)
    options = NatsOptions(url="nats://127.0.0.1:1", **{kind: path})

    with pytest.raises(ConfigurationError, match="login cannot be used to log in") as caught:
        await options.connect()

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("around", "problem"),
    [
        (" {}", "must not begin with U+0020 (space)"),
        ("{}\u00a0", "must not end with U+00A0 (no-break space)"),
        ("{}\n\n", "must not end with U+000A (line break)"),
    ],
)
async def test_a_seed_with_a_stray_character_is_refused(
    around: str, problem: str, tmp_path: Path
) -> None:
    seed = Identity.new(nkeys.PREFIX_BYTE_USER).seed
    path = tmp_path / "seed"
    path.write_text(around.format(seed), "utf-8")
    options = NatsOptions(url="nats://127.0.0.1:1", nkey=path)

    with pytest.raises(ConfigurationError) as caught:
        await options.connect()

    assert str(caught.value) == (
        f"{path} cannot be used to log in to the NATS server: what it holds {problem}"
    )


async def test_byte_order_mark_and_line_end_are_not_part_of_a_seed(
    nats_server: NatsServer,
) -> None:
    options = await guarded(nats_server, by_nkey)
    path = nats_server.folder / "user.nk"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")

    await close(await options.connect())


async def test_damaged_credentials_are_one_sentence(nats_server: NatsServer) -> None:
    options = await guarded(nats_server, by_credentials)
    path = nats_server.folder / "user.creds"
    path.write_text(path.read_text().replace("\nSU", "\nSUSECRET"))

    with pytest.raises(ConfigurationError, match="cannot connect to the NATS server") as caught:
        await options.connect()

    assert "SECRET" not in str(caught.value)


def test_files_for_tls_that_cannot_be_used_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("SECRET")
    for options in (
        NatsOptions(url="h", ca=tmp_path / "absent.pem"),
        NatsOptions(url="h", certificate=tmp_path / "none.pem"),
    ):
        with pytest.raises(ConfigurationError, match="the files for TLS to the NATS server"):
            options.tls()


def test_a_certificate_may_have_its_key_in_another_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.serve()
    options = NatsOptions(url="h", certificate=tmp_path / "server.pem", key=tmp_path / "server.key")

    assert isinstance(options.tls(), ssl.SSLContext)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"url": "nats://"}, "must be such as nats://127"),
        ({"url": "nats://a, nats://h\u200b"}, r"must not end with U\+200B \(zero width space\)"),
        ({"url": "nats://h\u00a0, nats://a"}, r"must not end with U\+00A0 \(no-break space\)"),
        ({"url": "nats://h\n"}, r"must not end with U\+000A \(line break\)"),
        ({"url": "nats://h", "credentials": Path("a"), "nkey": Path("b")}, "one is enough"),
        ({"url": "nats://h", "key": Path("a")}, "without its certificate"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        NatsOptions(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_options_that_are_not_given_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTREAM_NATS_URL", "tls://somewhere")
    for variable in FILE_VARIABLES.values():
        monkeypatch.setenv(variable, f"/{variable}")
    monkeypatch.delenv("RESTREAM_NATS_NKEY")

    found = NatsOptions.resolve(ca=Path("/given"))

    assert found == NatsOptions(
        url="tls://somewhere",
        credentials=Path("/RESTREAM_NATS_CREDS"),
        ca=Path("/given"),
        certificate=Path("/RESTREAM_NATS_CERT"),
        key=Path("/RESTREAM_NATS_KEY"),
    )


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("a", ["nats://a"]),
        (
            " a:4222 ,nats://u:p@b:4223, tls://token@c",
            ["nats://a:4222", "nats://b:4223", "tls://c"],
        ),
    ],
)
def test_addresses_are_read_as_nats_reads_them(url: str, servers: list[str]) -> None:
    assert NatsOptions(url=url).servers == servers


async def test_a_server_without_jetstream_is_one_sentence(nats_server: NatsServer) -> None:
    await nats_server.stop()
    nats_server.jetstream = False
    await nats_server.start()
    connection = await NatsOptions(url=nats_server.url).connect()
    impatient = connection.jetstream(timeout=0.3)  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    with pytest.raises(
        ConfigurationError, match="JetStream of the NATS server cannot be used: it is not enabled"
    ):
        await declare_streams(jetstream_of(connection), Subjects())
    await nats_server.stop()
    with pytest.raises(ConfigurationError, match="JetStream of the NATS server cannot be used:"):
        await declare_consumer(impatient, Subjects())
    await close(connection)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation; the handler is closed"),
        AttributeError("'NoneType' object has no attribute '_add_writer'"),
    ],
    ids=["uvloop", "asyncio"],
)
async def test_a_connection_that_the_loop_has_closed_already_is_closed_without_an_error(
    error: Exception,
) -> None:
    class Lost(Client):
        async def close(self) -> None:
            raise error

    await close(Lost())
