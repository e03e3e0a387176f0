"""The command `outcomes`, in this process."""

import asyncio
import io
import itertools
import json
import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from restream_async import Created, Origin, Restream
from restream_async.cli import main
from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.handling.reports import Source, reports
from restream_async.worker.activity import Activity
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.report_publishing import ReportPublisher
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.background_servers import BackgroundServers
from tests.helpers.command_line import Cli, Ended, plain, pseudo_terminal
from tests.helpers.polling import until
from tests.helpers.worker_fleet import wanted

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ALL = ("outcomes", "--no-follow")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return Cli(monkeypatch, tmp_path)


@pytest.fixture
def jetstream(servers: BackgroundServers, monkeypatch: pytest.MonkeyPatch) -> JetStreamContext:
    monkeypatch.setattr("restream_async.worker.nats_connection._RECONNECT_SECONDS", 0.1)
    for name in ("_FETCH_SECONDS", "_RETRY_SECONDS"):
        monkeypatch.setattr(f"restream_async.worker.stream_reading.{name}", 0.1)
    jetstream = jetstream_of(servers.connection)
    servers.run(declare_streams(jetstream, Subjects()))
    return jetstream


def handled(number: int) -> Handled:
    """Return what becomes of a message: every third one fails."""
    new = wanted(number)
    if number % 3 == 0:
        return Handled(dead=(DeadItem(index=0, reason="404 Not Found " + "x" * 80, item=new),))
    shown = Restream(
        id=number,
        video_id=new.video_id,
        title=new.title,
        stream_url=new.stream_url,
        stream_key=new.stream_key,
        status=True,
    )
    return Handled(
        done=(Created(index=0, request=new, restream=shown, origin=Origin.POSTED, attempts=1),)
    )


async def report(jetstream: JetStreamContext, *numbers: int) -> None:
    for number in numbers:
        source = Source(stream="S", sequence=number, stored=NOW, delivery=1, message_id=None)
        for each in reports(handled(number), source):
            await ReportPublisher(
                jetstream=jetstream, subjects=Subjects(), activity=Activity()
            ).publish_report(each)


def numbers(end: Ended) -> list[int]:
    return [json.loads(line)["sequence"] for line in end.out.splitlines()]


def test_without_following_it_prints_what_is_kept(
    cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    servers.run(report(jetstream, 1, 2, 3))

    end = cli(*ALL)
    assert (end.code, end.err) == (0, "")
    assert [line[21:] for line in end.out.splitlines()] == [
        "created   v1  Title 1: restream 1 (posted)",
        "created   v2  Title 2: restream 2 (posted)",
        f"failed    v3  Title 3: 404 Not Found {'x' * 80}",
    ]
    assert len(cli(*ALL, "--failed").out.splitlines()) == 1
    assert numbers(cli(*ALL, "--json")) == [1, 2, 3]
    last = json.loads(cli(*ALL, "--json").out.splitlines()[-1])
    assert numbers(cli(*ALL, "--json", "--since", last["time"])) == [3]
    assert "SECRET" not in end.out + str(last)
    for each in servers.run(jetstream.consumers_info("RESTREAMS_OUTCOMES")):
        assert each.config.durable_name is None, "the server removes it by itself"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_follows_until_a_signal_through_a_restart_of_the_server(
    number: signal.Signals, cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    servers.run(report(jetstream, 1))

    def lines() -> int:
        return len(cli.out_file.read_text().splitlines())

    async def restart_and_kill() -> None:
        async with asyncio.timeout(20):
            while not await jetstream.consumers_info("RESTREAMS_OUTCOMES"):  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)
        await report(jetstream, 2)
        await until(lambda: lines() == 1)
        await servers.nats.restart()
        await report(jetstream, 4)
        await until(lambda: lines() == 2)
        os.kill(os.getpid(), number)

    script = asyncio.run_coroutine_threadsafe(restart_and_kill(), servers.loop)
    end = cli("outcomes", "--json")

    script.result(10)
    assert (end.code, end.err) == (128 + number, "")
    assert numbers(end) == [2, 4], "not what was there before"


def test_a_reader_that_has_seen_enough_ends_it_without_a_word(
    cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    cli.out_file.unlink()
    os.mkfifo(cli.out_file)
    reader = threading.Thread(target=lambda: cli.out_file.open("rb").close())
    reader.start()

    async def report_on_and_on() -> None:
        for number in itertools.count():
            await report(jetstream, number)

    reporting = asyncio.run_coroutine_threadsafe(report_on_and_on(), servers.loop)
    end = cli("outcomes")

    reporting.cancel()
    reader.join()
    assert (end.code, end.err) == (0, "")


def test_a_full_disk_is_an_error(
    servers: BackgroundServers, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.run(report(jetstream, 1, 2))
    errors = io.StringIO()
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", full)
        patch.setattr("sys.stderr", errors)
        assert main([*ALL]) == 1

    assert errors.getvalue() == (
        "Error: standard output could not be written: no space left on device\n"
    )


def test_lines_fit_a_terminal(
    servers: BackgroundServers, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.run(report(jetstream, 3))
    monkeypatch.setenv("COLUMNS", "80")
    with pseudo_terminal(monkeypatch) as text:
        assert main([*ALL]) == 0

    rows = plain(text()).splitlines()
    assert len(rows) > 1
    assert all(len(row) <= 80 for row in rows)
    assert all(row.startswith(" " * 21) for row in rows[1:])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stream", "X"], "the stream X_OUTCOMES does not exist on the NATS server: the first"),
        (["--nats-url", "nats://127.0.0.1:1"], "cannot connect to the NATS server"),
    ],
)
@pytest.mark.usefixtures("jetstream")
def test_what_cannot_be_read_is_one_sentence(arguments: list[str], sentence: str, cli: Cli) -> None:
    end = cli("outcomes", *arguments)
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith(f"Error: {sentence}")
    assert end.err.count("\n") == 1
