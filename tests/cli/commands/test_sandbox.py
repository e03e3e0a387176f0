import asyncio
import os
import shlex
import signal
import socket
from collections.abc import Callable

import aiohttp
import pytest

from restream_async import NewRestream, RestreamClient, RetryPolicy
from tests.helpers.command_line import STREAM_KEY, Cli, Ended, interrupt_when, meanwhile, wait_until

NEW = NewRestream(
    video_id="v1",
    title="T",
    stream_url="rtmp://h.example/a",
    stream_key=STREAM_KEY,
    status=True,
)


def exported(cli: Cli) -> dict[str, str]:
    """Read the printed variables as a shell would."""
    words = shlex.split(cli.out_file.read_text())
    return dict(word.split("=", 1) for word in words if word != "export")


def run_with(cli: Cli, *options: object, use: Callable[[dict[str, str]], object]) -> Ended:
    """Run a sandbox, do something with it, and end it."""

    def work() -> None:
        wait_until(lambda: "RESTREAM_API_KEY" in cli.out_file.read_text())
        try:
            use(exported(cli))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with meanwhile(work):
        return cli("sandbox", "--port", 0, *options)


def create_in(settings: dict[str, str], count: int = 1) -> None:
    async def create() -> None:
        async with RestreamClient(
            base_url=settings["RESTREAM_BASE_URL"],
            project_id=settings["RESTREAM_PROJECT_ID"],
            api_key=settings["RESTREAM_API_KEY"],
            retry=RetryPolicy(base=0.001),
        ) as client:
            for _ in range(count):
                await client.create(NEW)

    asyncio.run(create())


def test_what_it_prints_is_what_another_shell_needs(cli: Cli) -> None:
    end = run_with(cli, use=create_in)
    assert end.code == 0
    assert [line.partition("=")[0] for line in end.out.splitlines()] == [
        "export RESTREAM_BASE_URL",
        "export RESTREAM_PROJECT_ID",
        "export RESTREAM_API_KEY",
    ]
    assert "paste this into another shell" in end.err
    assert "The sandbox is closed" in end.err
    assert "        1  creations requested" in end.err
    assert "        1  restreams stored at the end" in end.err
    assert " 0 " not in end.err, "what did not happen has no line"
    assert STREAM_KEY not in end.out + end.err


def test_it_counts_what_is_there_more_than_once(cli: Cli) -> None:
    end = run_with(cli, use=lambda settings: create_in(settings, 3))
    assert "        2  of them stored more than once" in end.err


def test_it_fails_on_purpose_when_asked_to(cli: Cli) -> None:
    end = run_with(
        cli, "--faults", "demo", "--seed", 5, use=lambda settings: create_in(settings, 40)
    )
    assert "        0  failed on purpose" not in end.err


def test_it_answers_slowly_and_only_so_many_when_asked_to(cli: Cli) -> None:
    async def ask(settings: dict[str, str]) -> None:
        async with aiohttp.ClientSession(settings["RESTREAM_BASE_URL"]) as session:
            answers = await asyncio.gather(*(session.get("/anything") for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [401, 503, 503, 503, 503]

    end = run_with(
        cli, "--latency", 0.3, "--capacity", 1, use=lambda settings: asyncio.run(ask(settings))
    )
    assert "        4  refused because of the capacity" in end.err


def test_it_allows_only_so_many_a_second_when_asked_to(cli: Cli) -> None:
    async def ask(settings: dict[str, str]) -> None:
        async with aiohttp.ClientSession(settings["RESTREAM_BASE_URL"]) as session:
            answers = [await session.get("/anything") for _ in range(3)]
        assert [answer.status for answer in answers] == [401, 429, 429]

    end = run_with(cli, "--rate-limit", 0.01, use=lambda settings: asyncio.run(ask(settings)))
    assert "        2  refused because of the rate limit" in end.err


def test_sigterm_ends_it_as_well(cli: Cli) -> None:
    with interrupt_when(
        lambda: "RESTREAM_API_KEY" in cli.out_file.read_text(), number=signal.SIGTERM
    ):
        assert cli("sandbox", "--port", 0).code == 0


def test_a_port_that_is_taken_is_one_sentence(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        end = cli("sandbox", "--port", port)
    assert end.code == 2
    assert f"Error: cannot listen on 127.0.0.1:{port}: " in end.err
    assert "address already in use; pass another --port, or --port 0 for any free one" in end.err


@pytest.mark.parametrize(
    "option",
    [["--faults", "some"], ["--capacity", "0"], ["--rate-limit", "0"], ["--port", "70000"]],
)
def test_wrong_options_are_refused(cli: Cli, option: list[str]) -> None:
    assert cli("sandbox", *option).code == 2
