"""README.md is always true: every block in it is run, or compared with what is run elsewhere."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from restream_async.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
PROGRAMS = [
    text
    for language, text in BLOCKS
    if language == "python" and "asyncio.run" in text and "import nats" not in text
]
CONFTEST = next(text for _, text in BLOCKS if text.startswith("# conftest.py"))
SHELL = [text for language, text in BLOCKS if language == "sh"]
# Run by tests/worker/test_recipes.py, under real frameworks and with a real NATS server.
ELSEWHERE = [
    text
    for language, text in BLOCKS
    if (language == "sh" and re.search("RESTREAM_NATS_URL|nats-server", text))
    or (re.match(r"# \w+\.(py|toml)\n", text) and text not in PROGRAMS and text != CONFTEST)
]
WRONG = ("said_created", "said_failed", "wrong_id")
SETUP = {
    "python -m pip install '.[cli]' && restream-async demo\n",
    "python -m pip install -e '.[test]' && python -m pytest\n",
}


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "RESTREAM_BASE_URL": sandbox.base_url,
        "RESTREAM_PROJECT_ID": sandbox.project_id,
        "RESTREAM_API_KEY": sandbox.api_key,
    }


async def run(*command: str, folder: Path, sandbox: Sandbox) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


def test_every_block_is_of_a_kind_that_is_run() -> None:
    run_here = [*PROGRAMS, CONFTEST, *(text for text in SHELL if text not in ELSEWHERE)]
    assert len(run_here) + len(ELSEWHERE) == len(BLOCKS)


def test_it_leads_with_the_two_commands_which_ci_runs() -> None:
    assert set(SHELL[:2]) == SETUP
    script = (ROOT / ".ci" / "run").read_text()
    for command in SETUP:
        for part in command.strip().split(" && "):
            assert part in script


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: text.splitlines()[1][27:60])
async def test_a_program_runs_as_it_stands(program: str, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program)

    output = await run(
        sys.executable, "-W", "error", "program.py", folder=tmp_path, sandbox=sandbox
    )

    assert sandbox.stored
    assert len({item.stream_key for item in sandbox.stored}) == len(sandbox.stored)
    assert "attempts" not in output, "no error is printed"
    assert not any(item.stream_key in output for item in sandbox.stored)


async def test_the_commands_run_as_they_stand(sandbox: Sandbox, tmp_path: Path) -> None:
    commands = [
        line
        for block in SHELL
        if block not in SETUP and block not in ELSEWHERE
        for line in block.splitlines()
        if not line.startswith("export ")
    ]
    assert commands

    for command in commands:
        await run("bash", "-c", command, folder=tmp_path, sandbox=sandbox)

    assert sandbox.counts.posts == 1
    assert not sandbox.stored, "the last command takes back what another one created"
    assert len((tmp_path / "outcomes.jsonl").read_text().splitlines()) == 1


def test_its_figures_are_those_that_were_measured() -> None:
    text = (ROOT / "README.md").read_text()
    trials = json.loads((ROOT / "benchmarks" / "plots" / "chaos.json").read_text())["trials"]

    def total(trial: str, client: str, *names: str) -> int:
        return sum(score[name] for score in trials[trial]["scores"][client] for name in names)

    for client in trials["chaos"]["scores"]:
        columns = (("once",), ("lost",), ("twice_unsaid",), WRONG)
        cells = [f"{total('chaos', client, *names):,}" for names in columns]
        assert f"| {' | '.join([client, *cells])} |" in text
    late = total("chaos-late", "restream-async", "twice")
    assert f"{late:,} of 100,000 were\nstored twice, all reported" in text
    assert total("chaos-late", "restream-async", "twice_unsaid") == 0
    assert total("chaos-late", "restream-async, repair=True", "twice") == 0
    for share in re.findall(r"\d+\.\d+ %", text):
        assert share in trials["chaos"]["weather"]


async def test_a_2_the_fixtures_work_in_the_tests_of_a_stranger(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from restream_async import NewRestream\n"
        "from restream_async.sandbox import Fault, Faults\n"
        "@pytest.fixture\n"
        "def anyio_backend():\n"
        "    return 'asyncio'\n"
        "async def creates(restream_client, restream_sandbox):\n"
        "    restream_sandbox.faults = Faults(after={Fault.RESET: 1.0}, max_faults=2)\n"
        "    new = NewRestream(video_id='v', title='t', stream_url='rtmp://h/a',\n"
        "                      stream_key='key', status=True)\n"
        "    await restream_client.create(new)\n"
        "    assert len(restream_sandbox.stored) == 1\n"
        "@pytest.mark.asyncio\n"
        "async def test_one_loop_each(restream_client, restream_sandbox):\n"
        "    await creates(restream_client, restream_sandbox)\n"
        "@pytest.mark.asyncio(loop_scope='session')\n"
        "async def test_one_loop_for_all(restream_client, restream_sandbox):\n"
        "    await creates(restream_client, restream_sandbox)\n"
        "@pytest.mark.anyio\n"
        "async def test_anyio(restream_client, restream_sandbox):\n"
        "    await creates(restream_client, restream_sandbox)\n"
        "def test_no_loop(restream_sandbox):\n"
        "    assert restream_sandbox.stored == ()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    command += ["-o", "asyncio_default_fixture_loop_scope=session", "."]

    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)

    assert "4 passed" in output.decode()
