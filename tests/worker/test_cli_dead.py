"""The commands `dead list`, `dead retry` and `dead drop`, in this process."""

import asyncio
import json
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from restream_async.cli import main
from restream_async.handling.command_messages import Unusable
from restream_async.worker.dead_letters import DeadLetter, DeadLetters
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.background_servers import BackgroundServers, csv
from tests.helpers.command_line import Cli, CtrlC, Ended, Terminal, plain, pseudo_terminal
from tests.helpers.dead_letters import add_dead_letter, dies_before
from tests.helpers.forked_processes import Other
from tests.helpers.readmes import BLOCKS, commands

CHAPTER = "restream_async/worker/README.md"
SECRETS = ("SECRET", "password")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return Cli(monkeypatch, tmp_path)


@pytest.fixture
def jetstream(servers: BackgroundServers) -> JetStreamContext:
    jetstream = jetstream_of(servers.connection)
    servers.run(declare_streams(jetstream, Subjects()))
    return jetstream


def counts(servers: BackgroundServers, jetstream: JetStreamContext) -> tuple[int, ...]:
    """Return how many commands, dead letters and commands of dead letters there are."""
    names = ("RESTREAMS", "RESTREAMS_DEAD", "RESTREAMS_DEAD_COMMANDS")
    return tuple(servers.run(jetstream.stream_info(name)).state.messages for name in names)


def listed(cli: Cli, *options: str) -> list[dict[str, Any]]:
    end = cli("dead", "list", "--json", *options)
    assert (end.code, end.err) == (0, "")
    assert not any(secret in end.out for secret in SECRETS)
    return [json.loads(line) for line in end.out.splitlines()]


def work(servers: BackgroundServers, cli: Cli) -> None:
    servers.signal_when_all_processed()
    assert cli("worker", "--places", "32").code == 0


def test_300_dead_letters_are_created_once_each_after_their_cause_is_mended(
    servers: BackgroundServers,
    cli: Cli,
    jetstream: JetStreamContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cli("enqueue", csv(tmp_path, 300)).code == 0
    with monkeypatch.context() as patch:
        patch.setenv("RESTREAM_PROJECT_ID", "wrong")
        work(servers, cli)
    assert counts(servers, jetstream) == (0, 300, 300)
    letters = listed(cli)
    assert {(each["canRetry"], each["httpStatus"]) for each in letters} == {(True, 404)}
    assert [each["id"] for each in letters] == list(range(1, 301))

    end = cli("dead", "retry", "--all", "--yes")
    assert end == Ended(0, "", "✓ 300 of 300 dead letters on the stream RESTREAMS again\n")
    assert counts(servers, jetstream) == (300, 0, 0)
    work(servers, cli)

    assert len(servers.sandbox.stored) == 300
    assert servers.sandbox.counts.posts == 600, "each was refused once, and created once"
    assert cli("dead", "list") == Ended(0, "", "There are no dead letters.\n")
    assert cli("dead", "retry", "--all", "--yes").err == "There are no dead letters to select.\n"


@pytest.mark.parametrize(
    ("step", "left"),
    [("get_last_msg", (0, 1, 1)), ("purge_stream", (1, 1, 1)), ("delete_msg", (1, 1, 0))],
)
def test_a_retry_that_is_killed_loses_nothing_and_is_repeated(
    step: str,
    left: tuple[int, ...],
    servers: BackgroundServers,
    cli: Cli,
    jetstream: JetStreamContext,
) -> None:
    servers.run(add_dead_letter(jetstream, 1))
    process = Other.start(dies_before, servers.nats.url, step)
    assert process.word() == "at the step"
    assert process.end() == -signal.SIGKILL
    assert counts(servers, jetstream) == left

    end = cli("dead", "retry", "--all", "--yes")
    if step == "delete_msg":
        assert end.code == 1
        assert "Error: 1 dead letter cannot be retried: " in end.err
        assert cli("dead", "drop", "--all", "--yes").code == 0
    else:
        assert end.code == 0
    work(servers, cli)

    assert len(servers.sandbox.stored) == servers.sandbox.counts.posts == 1
    assert counts(servers, jetstream) == (0, 0, 0)


@pytest.fixture
def four(servers: BackgroundServers, jetstream: JetStreamContext) -> None:
    """Add dead letters for three reasons."""
    servers.run(add_dead_letter(jetstream, 1, "404 Not Found"))
    servers.run(add_dead_letter(jetstream, 2, "503 from here"))
    servers.run(add_dead_letter(jetstream, 3, "503 FROM there"))
    servers.run(add_dead_letter(jetstream, 4, "no title", Unusable("no title", "v4")))


@pytest.mark.usefixtures("four")
def test_the_list_has_a_line_for_each_with_its_reason(cli: Cli) -> None:
    first, _, _, last = cli("dead", "list").out.splitlines()

    assert first[:8] == "     1  "
    assert first[27:] == "  v1  Title 1: 404 Not Found"
    assert last.endswith("  v4: no title (cannot be retried)")
    assert [each["id"] for each in listed(cli, "--reason", "503 from")] == [2, 3]
    assert [each["id"] for each in listed(cli, "--since", "10m")] == [1, 2, 3, 4]
    assert listed(cli, "--since", "0s") == []


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (["--reason", "503 From"], [1, 4]),
        (["2", "1", "2"], [3, 4]),
        (["--all"], [4]),
    ],
)
@pytest.mark.usefixtures("four")
def test_only_those_that_are_selected_are_retried(
    selection: list[str],
    left: list[int],
    cli: Cli,
    servers: BackgroundServers,
    jetstream: JetStreamContext,
) -> None:
    end = cli("dead", "retry", *selection, "--yes")

    assert (end.code, "cannot be retried" in end.err) == ((1, True) if left == [4] else (0, False))
    assert [each["id"] for each in listed(cli)] == left
    assert counts(servers, jetstream)[0] == 4 - len(left)


@pytest.mark.usefixtures("four")
def test_a_drop_removes_a_dead_letter_and_its_command(
    cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    assert cli("dead", "drop", "2", "4", "--yes").err == "✓ 2 of 2 dead letters dropped\n"
    assert [each["id"] for each in listed(cli)] == [1, 3]
    assert counts(servers, jetstream) == (0, 2, 2)


@pytest.mark.parametrize(("answer", "left"), [("y\n", 3), ("n\n", 4)])
@pytest.mark.usefixtures("four")
def test_it_asks_first(cli: Cli, answer: str, left: int) -> None:
    end = cli("dead", "drop", "3", stdin=Terminal(answer))

    assert end.code == 0
    assert end.err.splitlines()[0].endswith("v3  Title 3: 503 FROM there")
    assert "Drop 1 dead letter? [y/N]" in end.err
    assert ("Nothing was dropped." in end.err) is (answer == "n\n")
    assert len(listed(cli)) == left


def test_of_many_a_sample_is_shown(
    cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    for number in range(12):
        servers.run(add_dead_letter(jetstream, number))

    end = cli("dead", "retry", "--all", stdin=CtrlC())

    assert end.code == 130
    *sample, rest, _, error = end.err.splitlines()
    assert (len(sample), rest) == (10, "… and 2 more")
    assert "Retry 12 dead letters? [y/N]" in end.err
    assert error == "Error: interrupted: nothing was retried"
    assert len(listed(cli)) == 12


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["retry"], 2, "name dead letters by ID, or select them with --reason or --all"),
        (["drop", "1", "--all"], 2, "name dead letters by ID, or select them with"),
        (["retry", "--all"], 2, "without a terminal there is no way to ask: pass --yes to retry"),
        (["drop", "7", "99", "--yes"], 1, "there is no dead letter 7: see restream-async dead li"),
        (["retry", "4", "--yes"], 1, "1 dead letter cannot be retried: the message could not be"),
        (["list", "--stream", "X"], 2, "the stream X_DEAD does not exist on the NATS server"),
        (
            ["list", "--since", "soon"],
            2,
            "invalid value for '--since': 'soon' is neither a time such as",
        ),
        (["list", "--nats-url", "nats://127.0.0.1:1"], 2, "cannot connect to the NATS server"),
    ],
)
@pytest.mark.usefixtures("four")
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    arguments: list[str], code: int, sentence: str, cli: Cli
) -> None:
    end = cli("dead", *arguments)

    assert (end.code, end.out) == (code, "")
    assert f"Error: {sentence}" in end.err
    assert len(listed(cli)) == 4


@pytest.mark.usefixtures("four")
def test_a_retry_after_which_the_command_is_gone_says_so(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(self: DeadLetters, letter: DeadLetter) -> bool:
        await self.jetstream.purge_stream("RESTREAMS_DEAD_COMMANDS")
        return await retry(self, letter)

    retry = DeadLetters.retry
    monkeypatch.setattr(DeadLetters, "retry", late)
    end = cli("dead", "retry", "1", "--yes")

    assert end.code == 1
    assert "✗ 0 of 1 dead letter" in end.err
    assert "1 dead letter cannot be retried" in end.err


@pytest.mark.usefixtures("four")
def test_a_full_stream_is_an_error_and_the_rest_can_be_retried(
    cli: Cli, servers: BackgroundServers, jetstream: JetStreamContext
) -> None:
    config = servers.run(jetstream.stream_info("RESTREAMS")).config
    servers.run(jetstream.update_stream(config.evolve(max_msgs=1)))  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    end = cli("dead", "retry", "1", "2", "3", "--yes")

    assert end.code == 1
    assert "does not take it: maximum messages exceeded; run the same command again" in end.err
    assert counts(servers, jetstream) == (1, 3, 2)


@pytest.mark.usefixtures("four")
def test_a_signal_ends_it_after_what_is_in_progress(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.commands.dead_run._MOST_TASKS", 1)

    async def interrupted(self: DeadLetters, letter: DeadLetter) -> None:
        signal.raise_signal(signal.SIGINT)
        await drop(self, letter)

    drop = DeadLetters.drop
    monkeypatch.setattr(DeadLetters, "drop", interrupted)
    end = cli("dead", "drop", "--all", "--yes")

    assert end.code == 130
    assert "✗ 1 of 4 dead letters dropped" in end.err
    assert "Error: interrupted: run the same command again" in end.err


@pytest.mark.usefixtures("four")
def test_while_nats_is_away_one_signal_ends_a_retry_within_seconds(
    servers: BackgroundServers, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = servers.signal_in_an_outage(monkeypatch)
    end = cli("dead", "retry", "1", "--yes")

    assert time.monotonic() - began[0] < 9
    assert end.code == 143
    assert "✗ 0 of 1 dead letter on the stream RESTREAMS again" in end.err
    assert "Error: interrupted: run the same command again" in end.err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.usefixtures("servers")
def test_a_signal_ends_the_reading(name: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> None:
        signal.raise_signal(signal.Signals[name])
        await asyncio.Event().wait()

    monkeypatch.setattr(DeadLetters, "read", read)
    end = cli("dead", "list")
    assert end == Ended(128 + signal.Signals[name], "", "Error: interrupted: nothing was changed\n")


def test_the_commands_of_the_chapter_run(
    servers: BackgroundServers, jetstream: JetStreamContext, cli: Cli
) -> None:
    for number in range(1, 19):
        reason = "503" if number > 16 else "404 Not Found"
        servers.run(add_dead_letter(jetstream, number, reason))
    for block in BLOCKS:
        if (block.readme, block.section) == (CHAPTER, "Outcomes and dead letters"):
            for words in map(shlex.split, commands(block)):
                # One more of them runs until Ctrl-C.
                if words[1:] != ["outcomes", "--failed"]:
                    assert cli(*words[1:], stdin=Terminal("y\n")).code == 0, words
    assert counts(servers, jetstream) == (18, 0, 0)


def test_the_list_fits_a_terminal(
    servers: BackgroundServers,
    jetstream: JetStreamContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers.run(add_dead_letter(jetstream, 1, "many words " * 20))
    monkeypatch.setenv("COLUMNS", "80")
    with pseudo_terminal(monkeypatch) as text:
        assert main(["dead", "list"]) == 0

    rows = plain(text()).splitlines()
    assert len(rows) > 3
    assert all(len(row) <= 80 for row in rows)
    assert all(row.startswith(" " * 8) for row in rows[1:])
