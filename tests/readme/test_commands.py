"""Each command in a README.md runs as it stands, in its order, or has a reason why not."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.readmes import BLOCKS, FILES, ROOT, Block, commands, environment, path_of
from tests.helpers.samples import SELF_SIGNED

CI = (ROOT / ".ci" / "run").read_text()
SETUP = {
    "python -m pip install '.[cli]' && restream-async demo\n",
    "python -m pip install -e '.[test]' && python -m pytest\n",
}
SHELL = [block for block in BLOCKS if block.language == "sh"]
COMMAND_LINE = "restream_async/cli/README.md"
READING = [
    "Try it without an account",
    "Say where the service is",
    "Find out why nothing works",
    "Proxies",
    "Certificates",
]
# Each group runs without the files and restreams of other sections.
ALONE = {
    "reading": READING,
    "one restream": ["One restream"],
    "destinations": ["Many videos to the same destinations"],
    "wanted state": ["The wanted state"],
}
SERVICE = re.compile(r"export RESTREAM_(BASE_URL|PROJECT_ID|API_KEY)=(\S+)")
NOT_RUN = {
    r"python3 -m venv|\. \.venv|python -m pip install": "needs the network; CI begins with it",
    SERVICE.pattern: "names a service; here it is the test's sandbox",
    r"\S*restream-async sandbox": "runs until Ctrl-C; has a test of its own below",
    r"nats-server|export RESTREAM_NATS_URL|restream-async (enqueue|worker)\b": (
        "needs a NATS server; tests/worker/test_readme.py runs it"
    ),
    r"restream-async (outcomes|dead)\b": (
        "needs dead letters on a NATS server; tests/worker/test_cli_dead.py runs it"
    ),
    r"python -m benchmarks": "takes minutes to hours; a test below checks its options",
    r"python -m pytest|ruff|mypy|pyright|lint-imports|bash \.ci/run": (
        "checks the whole repository; a test below compares it with CI"
    ),
}


def is_run(command: str) -> bool:
    return not any(re.match(pattern, command) for pattern in NOT_RUN)


def every(pattern: str) -> list[str]:
    """Return all commands that begin so, without their comments."""
    return [
        command.partition("  #")[0].partition(" # ")[0].rstrip()
        for block in SHELL
        for command in commands(block)
        if re.match(pattern, command)
    ]


async def run(
    readme: str, folder: Path, sandbox: Sandbox, sections: Container[str] | None = None
) -> str:
    """Run the commands of a README.md, or of some sections, in one shell beside its files."""
    for block in FILES.values():
        if block.readme == readme:
            (folder / block.file).write_text(block.text)
    shell = [
        block
        for block in SHELL
        if block.readme == readme and (sections is None or block.section in sections)
    ]
    script = [command for block in shell for command in commands(block) if is_run(command)]
    process = await asyncio.create_subprocess_exec(
        *("bash", "-exuc", "\n".join(script)),
        cwd=folder,
        env=environment(sandbox),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 110)
    assert process.returncode == 0, errors.decode()
    return output.decode()


def test_every_block_is_of_a_kind_that_is_run() -> None:
    def is_covered(block: Block) -> bool:
        # Files are run by name; test_text.py compares diagrams with the package.
        return block.language in {"sh", "text"} or block.is_program or bool(block.file)

    assert [block for block in BLOCKS if not is_covered(block)] == []


def test_every_reason_is_needed() -> None:
    assert [pattern for pattern in NOT_RUN if not every(pattern)] == []


def test_it_leads_with_the_two_commands_which_ci_runs() -> None:
    assert {block.text for block in SHELL[:2]} == SETUP
    for command in SETUP:
        for part in command.strip().split(" && "):
            assert part in CI


async def test_the_quick_start_creates_resumes_checks_and_takes_back(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    output = await run("README.md", tmp_path, sandbox)

    assert sandbox.counts.posts == 4, "one from Python, two of the file, and the one that was added"
    (left,) = sandbox.stored
    assert left.video_id == "v1", "undo takes back what the file created"
    assert "created: 1\nexisted: 1\n" in output


@pytest.mark.parametrize(
    ("group", "posts", "left"),
    [
        ("reading", 0, []),
        ("one restream", 1, []),
        ("destinations", 4, ["v10", "v10", "v11", "v11"]),
        ("wanted state", 3, ["v20", "v20"]),
        ("all others", 3, ["v3"]),
    ],
)
async def test_the_commands_of_the_command_line_run_as_they_stand(
    sandbox: Sandbox, tmp_path: Path, group: str, posts: int, left: list[str]
) -> None:
    """Groups of sections run side by side, because each command starts a process."""
    shutil.copy(SELF_SIGNED, tmp_path / "ca.pem")
    names = {block.section for block in SHELL if block.readme == COMMAND_LINE}
    alone = {name for sections in ALONE.values() for name in sections}
    assert alone < names

    output = await run(COMMAND_LINE, tmp_path, sandbox, ALONE.get(group, names - alone))

    assert sandbox.counts.posts == posts
    stored = sorted(item.video_id for item in sandbox.stored)
    assert stored == left, "the others were taken back"
    assert not re.search("abcd|efgh|live_[12]|k3|mnop|uvwx|wxyz", output)


async def test_the_commands_about_workers_that_need_no_server_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    output = await run("restream_async/worker/README.md", tmp_path, sandbox)

    assert '"restreams.commands"' in output


async def test_the_descriptions_of_the_package_are_there(sandbox: Sandbox, tmp_path: Path) -> None:
    output = await run("restream_async/README.md", tmp_path, sandbox)

    assert "async create(self, new" in output
    assert "class OutcomeUnknownError" in output


@pytest.mark.parametrize("command", every(r"\S*restream-async sandbox"))
async def test_the_sandbox_prints_what_the_quick_start_says(command: str, tmp_path: Path) -> None:
    said = dict(SERVICE.findall("\n".join(every(SERVICE.pattern)[:3])))
    (port,) = re.findall(r"\d+$", said["BASE_URL"])
    _, *options = shlex.split(command)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "restream_async.cli", *options, "--port", "0"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None

    async with asyncio.timeout(20):
        text = (await process.stdout.readuntil(b"API_KEY=")).decode()
        text += (await process.stdout.readline()).decode()
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 20)

    exports = re.sub(r"(127\.0\.0\.1):\d+", rf"\1:{port}", text)
    assert dict(SERVICE.findall(exports)) == said


@pytest.mark.parametrize("command", sorted(set(every("python -m benchmarks"))))
def test_a_benchmark_has_the_options_that_are_named(command: str) -> None:
    _, *arguments = shlex.split(command)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *arguments, "--help"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_checks_of_contributors_are_those_of_ci() -> None:
    for command in every("ruff|mypy|pyright|lint-imports"):
        assert re.search(rf"\b{re.escape(command)}$", CI, re.MULTILINE), command
    for path in re.findall(r"tests/\S+|\.ci/run", "\n".join(every("python -m pytest|bash"))):
        assert path_of(path).exists()
