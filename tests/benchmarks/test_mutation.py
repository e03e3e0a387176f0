"""Mutants: what is changed in a module, and which tests catch it."""

from pathlib import Path
from typing import Final

import pytest

from benchmarks.mutation.mutants import mutants_of
from benchmarks.mutation.trial import Copy

ROOM: Final = "restream_async/_util"


def module(root: Path, text: str) -> str:
    """Write the only module of a repository; return its path."""
    for folder in (ROOM, "tests/_util", "benchmarks"):
        (root / folder).mkdir(parents=True)
    (root / "restream_async/__init__.py").touch()
    path = f"{ROOM}/m.py"
    (root / path).write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a = b < (c or d)", ["a = b <= (c or d)", "a = b < ((c and d))"]),
        ("a = 5.0", ["a = 10.0"]),
        ("a = not b", ["a = b"]),
        ("a.b = c", ["pass"]),
        ("b(True)", ["pass", "b(False)"]),
        ("if a:\n    b += c", ["if (not a):\n    b += c", "if a:\n    b -= c", "if a:\n    pass"]),
        ("while a():\n    break", ["while (not a()):\n    break", "while a():\n    continue"]),
        ("def a():\n    return b", ["def a():\n    return None"]),
        ("def a():\n    return False", ["def a():\n    return True"]),
        (
            "'ü' if b else min(c)",
            ["'ü' if (not b) else min(c)", "'ü' if b else max(c)"],
        ),
        # Nothing that a user could notice.
        ('"""Text."""\na: "Final[1]"\nb = f"{c + 1}"\n__all__ = [1]\nraise AssertionError(1)', []),
    ],
)
def test_each_mutant_is_one_small_change(tmp_path: Path, text: str, changed: list[str]) -> None:
    path = module(tmp_path, text)
    source = text.encode()
    found = [
        (source[: mutant.start] + mutant.new.encode() + source[mutant.end :]).decode()
        for mutant in mutants_of(tmp_path, path)
    ]
    assert sorted(found) == sorted(changed)


def test_a_mutant_is_caught_by_the_test_that_fails_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = module(tmp_path, "def half(number):\n    return number / 2\n")
    (tmp_path / "tests/_util/test_m.py").write_text(
        "from restream_async._util.m import half\n\n\ndef test_half():\n    assert half(6) == 3\n"
    )
    copy = Copy(tmp_path, tmp_path / "copy")
    trials = [copy.try_out(mutant) for mutant in mutants_of(tmp_path, path)]
    assert [str(trial).partition(" ")[2] for trial in trials] == [
        f"{new}  caught by tests/_util/test_m.py::test_half"
        for new in ("return None", "(number * 2)", "3")
    ]
    assert (tmp_path / "copy" / path).read_bytes() == (tmp_path / path).read_bytes()
