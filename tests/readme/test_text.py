"""What the README.md files say of the repository is true, and the first one is short."""

import json
import re
from itertools import chain
from pathlib import PurePosixPath

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import restream_async
from restream_async.cli.app import app
from tests.helpers.readmes import BLOCKS, READMES, ROOT, path_of

WRONG = ("said_created", "said_failed", "wrong_id")
TEXT = READMES["README.md"]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PROSE = {name: FENCE.sub("", text) for name, text in READMES.items()}
INLINE = {name: re.findall(r"`([^`\n]+)`", text) for name, text in PROSE.items()}
ABOUT_THE_PACKAGE = [name for name in READMES if name != "benchmarks/README.md"]
ARCHITECTURE = "restream_async/README.md"


def anchors(prose: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_first_readme_is_short() -> None:
    assert len(TEXT.split()) <= 1500
    assert len(TEXT.splitlines()) <= 250


def test_every_chapter_is_linked_from_the_first_readme() -> None:
    linked = re.findall(r"\]\(([^)#]+README\.md)\)", TEXT)
    assert set(linked) == set(READMES) - {"README.md"}


@pytest.mark.parametrize(
    "section",
    [
        "restream_async/README.md#traces-and-metrics",
        "restream_async/README.md#logs",
        "restream_async/README.md#stability-and-deprecation",
        "restream_async/cli/README.md#a-picture-of-a-run",
        "restream_async/worker/README.md#deploy",
        "restream_async/worker/README.md#health-and-metrics",
        "restream_async/worker/README.md#other-brokers",
        "restream_async/worker/README.md#outcomes-and-dead-letters",
    ],
)
def test_the_first_readme_links_to_what_runs_in_production(section: str) -> None:
    assert f"]({section})" in TEXT


@pytest.mark.parametrize("name", READMES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https://)([^)#]*)#?([^)]*)\)", PROSE[name]):
        parts: list[str] = [*PurePosixPath(name).parent.parts]
        for part in PurePosixPath(target).parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        found = "/".join(parts) if target else name
        assert path_of(found).exists(), target
        if anchor:
            assert anchor in anchors(PROSE[found]), f"{target}#{anchor}"


def command_line() -> TyperGroup:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def options_of_the_command_line() -> set[str]:
    group = command_line()
    groups = [group, *(each for each in group.commands.values() if isinstance(each, TyperGroup))]
    commands = chain.from_iterable(each.commands.values() for each in groups)
    parameters = chain(group.params, *(command.params for command in commands))
    return {"--help", "--", *chain.from_iterable(each.opts for each in parameters)}


def test_every_option_that_is_named_exists() -> None:
    known = options_of_the_command_line()
    for name in ABOUT_THE_PACKAGE:
        for code in INLINE[name]:
            for option in re.findall(r"(?<![\w-])--[a-z-]*", code):
                assert option in known, f"{name}: {option}"


def test_every_command_that_is_named_exists() -> None:
    known = command_line().commands
    for name in READMES:
        for code in INLINE[name]:
            for command in re.findall(r"restream-async ([a-z]+)", code):
                assert command in known, f"{name}: {command}"


def test_every_error_that_is_named_exists() -> None:
    for name in READMES:
        for error in re.findall(r"`(\w+Error)`", PROSE[name]):
            assert hasattr(restream_async, error), f"{name}: {error}"


def test_every_variable_header_and_subject_that_is_named_exists() -> None:
    source = "".join(path.read_text() for path in path_of("restream_async").rglob("*.py"))
    named = re.compile(r"RESTREAM_[A-Z_]+|restreams\.[a-z]+\b(?!\.)|\b[A-Z]\w+(?:-[A-Z]\w+)+")
    for name in ABOUT_THE_PACKAGE:
        for code in INLINE[name]:
            for text in named.findall(code):
                assert text in source or text == "restreams.csv", f"{name}: {text}"


def test_every_benchmark_that_is_named_exists() -> None:
    for name in READMES:
        for code in INLINE[name]:
            for module in re.findall(r"python -m (benchmarks[\w.]*)", code):
                path = module.replace(".", "/")
                assert path_of(f"{path}.py").exists() or path_of(f"{path}/__main__.py").exists()


def test_the_rooms_and_the_diagrams_name_what_is_there() -> None:
    diagrams = [block.text for block in BLOCKS if block.language == "text"]
    path = re.compile(r"(?<![\w./])(?:[a-z_]+/[a-z_/]*(?:\.py)?|[a-z_]+\.py)")
    named = {found for text in (*diagrams, *INLINE[ARCHITECTURE]) for found in path.findall(text)}
    examples = {block.file for block in BLOCKS}
    for each in sorted(named - examples):
        assert path_of(f"restream_async/{each}").exists() or path_of(each).exists(), each

    package = path_of("restream_async")
    rooms = {
        path.name if path.is_file() else f"{path.name}/"
        for path in package.iterdir()
        if path.name not in {"__init__.py", "__pycache__", "py.typed", "README.md"}
    }
    table = READMES[ARCHITECTURE].partition("| room |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+(?:/|\.py))`", table)) == rooms


def test_its_figures_are_those_that_were_measured() -> None:
    trials = json.loads((ROOT / "benchmarks" / "plots" / "chaos.json").read_text())["trials"]
    chapter = READMES["benchmarks/README.md"]

    def total(trial: str, client: str, *names: str) -> int:
        return sum(score[name] for score in trials[trial]["scores"][client] for name in names)

    for client in trials["chaos"]["scores"]:
        columns = (("once",), ("lost",), ("twice_unsaid",), WRONG)
        cells = [f"{total('chaos', client, *names):,}" for names in columns]
        assert f"| {' | '.join([client, *cells])} |" in chapter
    late = total("chaos-late", "restream-async", "twice")
    assert f"{late:,} of 100,000 were\nstored twice, all reported" in chapter
    assert total("chaos-late", "restream-async", "twice_unsaid") == 0
    assert total("chaos-late", "restream-async, repair=True", "twice") == 0
    section = chapter.partition("## `chaos`")[2].partition("\n## ")[0]
    for share in re.findall(r"\d+\.\d+ %", section):
        assert share in trials["chaos"]["weather"]

    once = total("chaos", "restream-async", "once")
    twice, lost = (total("chaos", "aiohttp + tenacity", name) for name in ("twice", "lost"))
    assert once == total("chaos", "restream-async", "creations")
    assert (
        f"restream-async stored each of {once:,} restreams exactly once; "
        f"aiohttp + tenacity stored {twice:,} twice and lost {lost:,}"
    ) in " ".join(TEXT.split())
