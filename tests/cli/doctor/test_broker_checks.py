"""The NATS server: real ones, fine, closed, without a login, without JetStream, nearly full."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from nats.js.api import StreamConfig

from restream_async.cli.doctor.results import Result
from restream_async.cli.options.nats import NatsCliOptions
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.examination import examine, said
from tests.helpers.nats_server import NatsServer
from tests.helpers.varnish import closed_port

SECRET = "SECRET-of-nats"
# The checks of the service are not meant here.
NO_SERVICE = "api.example.com"
STORE = "jetstream: {{ store_dir: {store}, max_file_store: 8MB }}\n"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    yield server
    await server.stop()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._CLOSE_SECONDS", 0.2)


async def started(server: NatsServer, configuration: str = "") -> NatsServer:
    if configuration:
        path = server.folder / "nats.conf"
        path.write_text(configuration.format(store=server.folder / "store"))
        server.arguments = ["-c", str(path)]
        server.jetstream = False
    await server.start()
    return server


async def broker(url: str) -> dict[str, Result]:
    results = await examine(NO_SERVICE, nats=NatsCliOptions(nats_url=url))
    del results["settings"]
    assert not [each for each in results.values() if SECRET in said(each)]
    return results


async def test_a_server_without_streams_is_fine_and_gets_none(server: NatsServer) -> None:
    await started(server)
    results = await broker(server.url)

    assert results["NATS server"].detail.startswith(f"connected to {server.url}, nats server v2.")
    assert said(results["NATS permissions"]) == "ok | the user may publish to every subject"
    assert said(results["NATS streams"]) == (
        "ok | RESTREAMS: does not exist yet, RESTREAMS_OUTCOMES: does not exist yet, "
        "RESTREAMS_DEAD: does not exist yet, RESTREAMS_DEAD_COMMANDS: does not exist yet"
    )
    assert said(results["NATS limits"]) == (
        "ok | messages up to 1,048,576 bytes, storage: 0 MiB (no limit), streams: 0 (no limit), "
        "consumers: 0 (no limit)"
    )
    connection = await NatsOptions(url=server.url).connect()
    assert (await jetstream_of(connection).account_info()).streams == 0
    await close(connection)


async def test_the_messages_of_each_stream_are_counted(server: NatsServer) -> None:
    await started(server)
    connection = await NatsOptions(url=server.url).connect()
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    for number in range(2):
        await jetstream.publish("restreams.commands", b"%d" % number)
    await jetstream.publish("restreams.dead", b"x")
    results = await broker(server.url)
    left = (await jetstream.stream_info("RESTREAMS")).state.messages
    await close(connection)

    assert said(results["NATS streams"]) == (
        "ok | RESTREAMS: 2 messages, RESTREAMS_OUTCOMES: 0 messages, RESTREAMS_DEAD: 1 message, "
        "RESTREAMS_DEAD_COMMANDS: 0 messages"
    )
    assert left == 2


async def test_a_closed_port() -> None:
    with closed_port() as port:
        results = await broker(f"nats://ann:{SECRET}@127.0.0.1:{port}")

    assert results["NATS server"].status.value == "failed"
    assert results["NATS server"].detail.startswith(
        f"cannot connect to the NATS server at nats://127.0.0.1:{port}: Connect"
    )
    assert results["NATS server"].advice.startswith("Check the address (RESTREAM_NATS_URL or --n")
    for name in ("NATS permissions", "NATS streams", "NATS limits"):
        assert said(results[name]) == "skipped | NATS server failed"


@pytest.mark.parametrize("login", ["", f"ann:{SECRET}@"])
async def test_a_wrong_login(server: NatsServer, login: str) -> None:
    server.arguments = ["--user", "ann", "--pass", "right"]
    await started(server)
    results = await broker(server.url.replace("//", f"//{login}"))

    assert "Authorization Violation" in results["NATS server"].detail
    assert results["NATS server"].advice.startswith("Check the login: the user and the password in")


async def test_a_server_without_tls_where_tls_is_wanted(server: NatsServer) -> None:
    await started(server)
    results = await broker(server.url.replace("nats:", "tls:"))

    assert results["NATS server"].status.value == "failed"
    assert results["NATS server"].advice.startswith("Check --nats-ca, and whether the address")


async def test_a_server_without_jetstream(server: NatsServer) -> None:
    server.jetstream = False
    await started(server)
    results = await broker(server.url)

    assert results["NATS server"].status.value == "ok"
    assert results["NATS streams"].status.value == "failed"
    assert results["NATS streams"].detail == (
        "JetStream of the NATS server cannot be used: it is not enabled there"
    )
    assert results["NATS streams"].advice.startswith("Enable JetStream on the server (")


async def test_an_account_whose_storage_is_nearly_full(server: NatsServer) -> None:
    await started(server, STORE + ACCOUNT)
    url = server.url.replace("//", f"//ann:{SECRET}@")
    connection = await NatsOptions(url=url).connect()
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    config = (await jetstream.stream_info("RESTREAMS")).config
    await jetstream.update_stream(config.evolve(max_msgs=10))  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    for _ in range(10):
        await jetstream.publish("restreams.commands", b"x" * 800_000)
    await close(connection)
    results = await broker(url)

    assert results["NATS streams"].status.value == "warning"
    assert results["NATS streams"].detail.endswith("; nearly full: RESTREAMS")
    assert results["NATS limits"].status.value == "warning"
    assert "storage: 8 MiB of 8 MiB, streams: 4 of 4," in results["NATS limits"].detail
    assert results["NATS limits"].detail.endswith("; the storage is nearly used up")


async def test_a_stream_of_others_is_refused_as_a_worker_would(server: NatsServer) -> None:
    await started(server)
    connection = await NatsOptions(url=server.url).connect()
    await jetstream_of(connection).add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        StreamConfig(name="RESTREAMS", subjects=["orders"])
    )
    await close(connection)
    results = await broker(server.url)

    assert results["NATS streams"].status.value == "failed"
    assert results["NATS streams"].detail.startswith("RESTREAMS: 0 messages, RESTREAMS_OUTCOMES: ")
    assert results["NATS streams"].advice == (
        "The stream RESTREAMS does not take restreams.commands, restreams.events: name another "
        "stream, or change its subjects."
    )


async def test_a_server_that_takes_short_messages_only(server: NatsServer) -> None:
    await started(server, STORE + "max_payload: 32KB\n")
    results = await broker(server.url)

    assert results["NATS limits"].status.value == "warning"
    assert results["NATS limits"].detail.startswith("messages up to 32,768 bytes")


ACCOUNT = """
accounts: {{ A: {{
    jetstream: {{ max_file: 8MB, max_streams: 4 }},
    users: [ {{ user: ann, password: SECRET-of-nats }} ]
}} }}
"""
USERS = """
authorization: {{ users: [
    {{ user: ann, password: SECRET-of-nats, permissions: {{
        publish: {publish}, subscribe: "_INBOX.>" }} }}
] }}
"""


def may_publish(publish: str) -> str:
    return STORE + USERS.replace("{publish}", publish)


@pytest.mark.parametrize(
    ("publish", "sentence"),
    [
        (
            '["restreams.>", "$JS.API.>", "$SYS.REQ.USER.INFO"]',
            "ok | the user may publish what enqueue and worker publish",
        ),
        (
            '["restreams.commands", "$JS.API.>", "$SYS.REQ.USER.INFO"]',
            (
                "warning | the user may not publish to restreams.outcomes, restreams.dead, "
                "restreams.commands.dead.* | enqueue needs restreams.commands, worker the others: "
                "ask for them, or for another login."
            ),
        ),
    ],
)
async def test_what_a_user_may_publish(server: NatsServer, publish: str, sentence: str) -> None:
    await started(server, may_publish(publish))
    results = await broker(server.url.replace("//", f"//ann:{SECRET}@"))

    assert said(results["NATS permissions"]) == sentence
    assert results["NATS limits"].status.value == "ok"


async def test_a_user_who_may_not_ask_for_the_limits(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.broker_checks._REQUEST_SECONDS", 0.2)
    await started(server, may_publish('["restreams.>", "$JS.API.STREAM.>", "$SYS.REQ.USER.INFO"]'))
    results = await broker(server.url.replace("//", f"//ann:{SECRET}@"))

    assert results["NATS streams"].status.value == "ok"
    assert said(results["NATS limits"]) == (
        "skipped | the server does not tell them, but messages up to 1,048,576 bytes"
    )


async def test_a_user_who_may_not_ask(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.broker_checks._REQUEST_SECONDS", 0.2)
    await started(server, may_publish('["restreams.>"]'))
    results = await broker(server.url.replace("//", f"//ann:{SECRET}@"))

    assert said(results["NATS permissions"]) == "skipped | the server does not tell them"
    assert results["NATS streams"].status.value == "failed"
    assert "permissions violation" in results["NATS streams"].detail
    assert results["NATS streams"].advice.startswith("Allow the user to publish to $JS.API.>")
