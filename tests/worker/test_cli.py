"""The commands `enqueue`, `worker` and `asyncapi`, in this process."""

import contextlib
import json
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import StreamState

from restream_async.cli import main
from restream_async.cli.commands.enqueue_run import EnqueueRun
from restream_async.handling.command_messages import encode
from restream_async.worker.command_publishing import Published
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import CHECK_FIRST, Subjects
from tests.helpers.background_servers import HEADER, BackgroundServers, csv
from tests.helpers.worker_fleet import wanted


def state(servers: BackgroundServers) -> StreamState:
    return servers.run(jetstream_of(servers.connection).stream_info("RESTREAMS")).state


def prepare(servers: BackgroundServers, **changes: int) -> None:
    """Create the streams before a worker does, with other settings."""
    jetstream = jetstream_of(servers.connection)
    servers.run(declare_streams(jetstream, Subjects()))
    config = servers.run(jetstream.stream_info("RESTREAMS")).config
    servers.run(jetstream.update_stream(config.evolve(**changes)))  # pyright: ignore[reportUnknownMemberType] - untyped keywords


def test_enqueue_puts_all_and_worker_creates_all(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enqueue", csv(tmp_path, 15), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["enqueue", csv(tmp_path, 20)]) == 0
    assert "       15  that it had already" in capsys.readouterr().err
    servers.signal_when(lambda: len(servers.sandbox.stored) == 20)

    assert main(["worker", "--places", "4"]) == 0

    assert "Processing RESTREAMS at nats://127.0.0.1" in capsys.readouterr().err


def test_the_log_of_a_worker_names_variables_and_options(
    servers: BackgroundServers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("RESTREAM_API_KEY", "another")
    assert main(["enqueue", csv(tmp_path, 1)]) == 0
    servers.signal_when(lambda: "refuses the API key" in caplog.text)

    assert main(["worker"]) == 0

    [held] = [text for text in caplog.messages if "refuses the API key" in text]
    assert "check the API key (RESTREAM_API_KEY or --api-key-file)" in held
    assert "api_key" not in held


@pytest.mark.parametrize(("options", "checks"), [([], 1), (["--trust-stream"], 0)])
def test_a_worker_checks_before_it_creates_unless_it_trusts_the_stream(
    options: list[str], checks: int, servers: BackgroundServers, tmp_path: Path
) -> None:
    assert main(["enqueue", csv(tmp_path, 1)]) == 0
    servers.signal_when_all_processed()

    assert main(["worker", *options]) == 0

    assert (servers.sandbox.counts.posts, servers.sandbox.counts.lists) == (1, checks)


def test_a_worker_takes_events_where_it_has_destinations(
    servers: BackgroundServers, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("SECRET")
    path = tmp_path / "destinations.json"
    path.write_text(
        json.dumps([{"title": "{title}", "stream_url": "rtmp://h/a", "stream_key_file": "key"}])
    )
    event = {"eventType": "live.video.created", "data": {"PublicId": "v1", "Title": "Show"}}
    prepare(servers)
    servers.run(
        jetstream_of(servers.connection).publish("restreams.events", json.dumps(event).encode())
    )
    servers.signal_when(lambda: len(servers.sandbox.stored) == 1)

    assert main(["worker", "--destinations", str(path)]) == 0
    assert servers.sandbox.stored[0].title == "Show"


def test_a_list_of_videos_is_put_on_the_stream_for_each_destination(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos.txt").write_text("v1\nv2\n")
    destinations = tmp_path / "destinations.toml"
    destinations.write_text(
        "".join(
            f'[[destinations]]\ntitle = "{part}"\nstream_url = "rtmp://h/{part}"\n'
            'stream_key_file = "key"\n'
            for part in "ab"
        )
    )
    (tmp_path / "key").write_text("SECRET")
    videos = str(tmp_path / "videos.txt")

    assert main(["enqueue", videos, "--destinations", str(destinations)]) == 0
    assert "4 of 4 restreams on the stream" in capsys.readouterr().err
    servers.signal_when(lambda: len(servers.sandbox.stored) == 4)

    assert main(["worker"]) == 0
    stored = {(each.video_id, each.title) for each in servers.sandbox.stored}
    assert stored == {("v1", "a"), ("v1", "b"), ("v2", "a"), ("v2", "b")}


@pytest.mark.parametrize("action", ["disable", "delete"])
def test_a_worker_follows_the_rules_beside_its_destinations(
    action: str, servers: BackgroundServers, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("SECRET")
    path = tmp_path / "destinations.toml"
    path.write_text(
        '[[destinations]]\ntitle = "T"\nstream_url = "rtmp://h/a"\nstream_key_file = "key"\n'
        '[[rules]]\nevent = "live.video.created"\naction = "create"\n'
        f'[[rules]]\nevent = "live.video.deleted"\naction = "{action}"\n'
    )
    prepare(servers)
    jetstream = jetstream_of(servers.connection)

    def publish(kind: str) -> Coroutine[Any, Any, Any]:
        event = {"eventType": f"live.video.{kind}", "data": {"PublicId": "v1"}}
        return jetstream.publish("restreams.events", json.dumps(event).encode())

    servers.run(publish("created"))
    servers.when(lambda: bool(servers.sandbox.stored), lambda: publish("deleted"))
    servers.signal_when(
        lambda: (
            servers.sandbox.counts.toggles + servers.sandbox.counts.deletes == 1
            and not any(each.status for each in servers.sandbox.stored)
        )
    )

    assert main(["worker", "--destinations", str(path)]) == 0
    assert len(servers.sandbox.stored) == (action == "disable")


def test_wrong_rules_are_one_sentence(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("SECRET")
    path = tmp_path / "destinations.toml"
    path.write_text(
        '[[destinations]]\ntitle = "T"\nstream_url = "rtmp://h/a"\nstream_key_file = "key"\n'
        '[[rules]]\nevent = "live.video.deleted"\naction = "drop"\n'
    )

    assert main(["worker", "--destinations", str(path)]) == 2
    assert f"Error: rule 1 of {path}: action must be one of" in capsys.readouterr().err
    assert servers.callers == 0


def test_destinations_that_cannot_be_read_are_one_sentence(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", "--destinations", str(tmp_path / "none.toml")]) == 2
    assert "Error: the destinations cannot be read" in capsys.readouterr().err
    assert servers.callers == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_to_stop_while_it_connects_exits_with_0(
    number: signal.Signals, servers: BackgroundServers, capsys: pytest.CaptureFixture[str]
) -> None:
    url = servers.silent_server()
    servers.signal_when(lambda: servers.callers > 0, number)

    assert main(["worker", "--nats-url", url]) == 0
    assert capsys.readouterr().err.count("\n") == 1


def test_a_worker_whose_stream_is_deleted_fails_with_one_sentence(
    servers: BackgroundServers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.run._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("restream_async.worker.nats_watch._RECHECK_SECONDS", 0.1)
    prepare(servers)
    jetstream = jetstream_of(servers.connection)
    servers.run(jetstream.publish("restreams.commands", encode(wanted(1))))
    servers.when(
        lambda: bool(servers.sandbox.stored), lambda: jetstream.delete_stream("RESTREAMS_DEAD")
    )

    assert main(["worker"]) == 1
    assert "Error: the stream RESTREAMS_DEAD does not exist any more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--nats-url", "nats://u:hidden-password@127.0.0.1:1"],
            "cannot connect to the NATS server at nats://127.0.0.1:1",
        ),
        (["--nats-url", "nats://"], "the address of the NATS server cannot be read"),
        (["--subject", "a.b"], "does not take a.b"),
    ],
)
def test_wrong_settings_are_one_sentence_from_both_commands(
    options: list[str],
    sentence: str,
    servers: BackgroundServers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(servers)
    for command in (["worker"], ["enqueue", csv(tmp_path, 1)]):
        assert main([*command, *options]) == 2
        said = capsys.readouterr().err
        assert f"Error: {sentence}" in said or sentence in said.splitlines()[-1]
        assert "hidden-password" not in said


@pytest.mark.parametrize("command", [["worker"], ["enqueue", "-"]], ids=["worker", "enqueue"])
def test_without_an_address_the_error_says_how_to_give_one(
    command: list[str],
    servers: BackgroundServers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del servers
    monkeypatch.delenv("RESTREAM_NATS_URL")

    assert main(command) == 2
    said = capsys.readouterr().err
    assert "set RESTREAM_NATS_URL, such as nats://127.0.0.1:4222 (or --nats-url)" in said


def test_a_bad_line_is_named_before_anything_is_put(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(servers)
    (tmp_path / "bad.jsonl").write_text('{"videoId": 7}\n')

    assert main(["enqueue", str(tmp_path / "bad.jsonl")]) == 2

    assert "bad.jsonl:1: " in capsys.readouterr().err
    assert state(servers).messages == 0


def test_a_dry_run_checks_all_and_puts_nothing(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(servers)

    assert main(["enqueue", csv(tmp_path, 5), "--dry-run"]) == 0

    assert "nothing was put (--dry-run)" in capsys.readouterr().err
    assert state(servers).messages == 0


def test_check_first_asks_workers_for_an_existence_check(
    servers: BackgroundServers, tmp_path: Path
) -> None:
    assert main(["enqueue", csv(tmp_path, 1), "--check-first"]) == 0

    found: Any = servers.run(jetstream_of(servers.connection).get_msg("RESTREAMS", 1))
    assert found.headers[CHECK_FIRST] == "1"


def test_after_ctrl_c_the_text_says_that_the_command_can_be_run_again(
    servers: BackgroundServers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(servers)
    put: list[Published] = []
    count = EnqueueRun._count  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - to see it at work

    def counted(self: EnqueueRun, published: Published) -> None:
        put.append(published)
        count(self, published)

    monkeypatch.setattr(EnqueueRun, "_count", counted)
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.0)
    servers.signal_when(lambda: len(put) > 100, signal.SIGINT)

    assert main(["enqueue", csv(tmp_path, 20_000)]) == 130

    said = capsys.readouterr().err
    assert "Error: interrupted: run the same command again" in said
    assert " of 20,000\n" in said, "progress"
    assert 100 < state(servers).messages < 20_000
    assert state(servers).messages == len(put), "each was confirmed"


def test_while_nats_is_away_one_signal_ends_enqueue_within_seconds(
    servers: BackgroundServers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(servers)
    began = servers.signal_in_an_outage(monkeypatch)

    assert main(["enqueue", csv(tmp_path, 1)]) == 143

    assert time.monotonic() - began[0] < 9
    said = capsys.readouterr().err
    assert "0 of 1 restream on the stream" in said
    assert "Error: interrupted: run the same command again" in said


def test_a_full_stream_fails_with_one_sentence(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(servers, max_msgs=3)

    assert main(["enqueue", csv(tmp_path, 10)]) == 1
    assert "maximum messages exceeded; run the same command again" in capsys.readouterr().err


def test_an_input_that_changes_while_it_is_put_is_one_sentence(
    servers: BackgroundServers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(servers)
    path = Path(csv(tmp_path, 10))

    def declare(*arguments: Any, **options: Any) -> Coroutine[Any, Any, bytes]:  # noqa: ANN401
        path.write_text(HEADER)
        return declare_streams(*arguments, **options)

    monkeypatch.setattr("restream_async.cli.commands.enqueue_run.declare_streams", declare)

    assert main(["enqueue", str(path)]) == 2
    assert "changed" in capsys.readouterr().err


def test_a_terminal_shows_progress(
    servers: BackgroundServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del servers
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    assert main(["enqueue", csv(tmp_path, 5)]) == 0


def test_without_the_extra_the_error_says_how_to_install_it(
    servers: BackgroundServers,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del servers
    for name in [each for each in sys.modules if each.startswith("restream_async.worker.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats", None)
    monkeypatch.setitem(sys.modules, "nkeys", None)

    assert main(["worker"]) == 2
    assert "pip install 'restream-async[cli,worker]'" in capsys.readouterr().err


def test_a_missing_module_of_our_own_is_a_bug_that_is_logged(
    servers: BackgroundServers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del servers
    monkeypatch.setitem(sys.modules, "restream_async.worker.run", None)

    assert main(["worker"]) == 1

    said = capsys.readouterr().err
    assert " CRITICAL this is a bug\n" in said
    assert said.endswith("ModuleNotFoundError\n")


def test_the_document_of_all_subjects_is_json_and_names_no_password(
    servers: BackgroundServers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del servers
    monkeypatch.setenv("RESTREAM_NATS_URL", "nats://u:hidden-password@h")

    assert main(["asyncapi", "--dead", "my.dead"]) == 0

    said = capsys.readouterr().out
    document = json.loads(said)
    subjects = Subjects(dead="my.dead")
    assert {each["address"] for each in document["channels"].values()} == {
        subjects.commands,
        subjects.events,
        subjects.outcomes,
        "my.dead",
        subjects.dead_commands,
    }
    assert set(document["components"]["schemas"]["Command"]["required"]) == set(
        HEADER.strip().split(",")
    )
    assert "hidden-password" not in said


def test_a_worker_serves_its_health_and_logs_json(
    servers: BackgroundServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    assert main(["enqueue", csv(tmp_path, 3), "--quiet"]) == 0
    found: list[str] = []

    def has_metrics() -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response,
        ):
            found.append(response.read().decode())
            return 'restream_worker_messages_total{verdict="done"} 3.0' in found[-1]
        return False

    servers.signal_when(has_metrics)

    assert main(["worker", "--health", str(port), "--log-format", "json"]) == 0

    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    messages = [each["message"] for each in records]
    assert messages[0].startswith("Processing RESTREAMS at nats://127.0.0.1")
    assert f"health endpoint: http://127.0.0.1:{port}/readyz" in messages
    assert sum("has ended: 1 created" in each for each in messages) == 3
    assert {each["level"] for each in records} == {"INFO"}
    assert re.search(r"restream_creations_total\{.*\} 3.0", found[-1]), "of the client"
    assert not [text for text in (*messages, found[-1]) if "SECRET" in text]


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0:99999", "::1:80"])
def test_a_malformed_health_address_is_one_sentence(
    address: str, servers: BackgroundServers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", "--health", address]) == 2
    assert "must be HOST:PORT" in capsys.readouterr().err
    assert servers.callers == 0


def test_a_health_address_that_is_taken_is_one_sentence(
    servers: BackgroundServers, capsys: pytest.CaptureFixture[str]
) -> None:
    del servers
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["worker", "--health", str(port)]) == 2

    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"Error: the health endpoint cannot listen on 127.0.0.1, port {port}: ")
    assert "ddress already in use" in said
