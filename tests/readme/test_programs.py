"""Each Python program in a README.md runs as it stands."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.readmes import BLOCKS, FILES, Block, environment

WITH_A_SANDBOX_OF_ITS_OWN = "own_sandbox.py"
# tests/worker/test_readme.py runs them with a real NATS server.
WITH_NATS = {"producer.py", "worker_with_health.py"}
PROGRAMS = [
    block
    for block in BLOCKS
    if block.is_program and block.file not in {WITH_A_SANDBOX_OF_ITS_OWN, *WITH_NATS}
]


async def run(program: Block, folder: Path, sandbox: Sandbox) -> str:
    (folder / "program.py").write_text(program.text)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "program.py"),
        cwd=folder,
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


def name_of(program: Block) -> str:
    first = program.text.splitlines()[1][27:60]
    return f"{program.readme}: {program.file or first}"


@pytest.mark.parametrize("program", PROGRAMS, ids=name_of)
async def test_a_program_runs_as_it_stands(
    program: Block, sandbox: Sandbox, tmp_path: Path
) -> None:
    output = await run(program, tmp_path, sandbox)

    assert sandbox.stored
    assert len({item.stream_key for item in sandbox.stored}) == len(sandbox.stored)
    assert "attempts" not in output, "no error is printed"
    assert not any(item.stream_key in output for item in sandbox.stored)


async def test_a_program_with_a_sandbox_of_its_own_creates_all_through_its_faults(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    output = await run(FILES[WITH_A_SANDBOX_OF_ITS_OWN], tmp_path, sandbox)

    assert output == "100 created, 100 stored\n"
    assert not sandbox.stored


async def pytest_in(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    process = await asyncio.create_subprocess_exec(
        *(*command, *options, "."), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return output.decode()


async def test_the_examples_of_tests_pass(tmp_path: Path) -> None:
    tests = [name for name in FILES if name.startswith("test_")]
    for name in ("conftest.py", "service.py", "web_service.py", *tests):
        (tmp_path / name).write_text(FILES[name].text)

    output = await pytest_in(tmp_path, "-o", "asyncio_default_fixture_loop_scope=function")

    assert "5 passed" in output, output


async def test_a_2_the_fixtures_work_in_the_tests_of_a_stranger(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FILES["conftest.py"].text)
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

    output = await pytest_in(tmp_path, "-o", "asyncio_default_fixture_loop_scope=session")

    assert "4 passed" in output
