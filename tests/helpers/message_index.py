"""Writes an index of the command line's messages, with the tests that cause them.

The index is written to `build/messages.txt` at the end of a test run, for people to review. The
messages travel in the reports of the tests, so the tests may run in several processes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.text import Text

from restream_async.cli.errors import CliError
from restream_async.cli.output import console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from restream_async.cli.exit_codes import ExitCode

_PROPERTY: Final = "message"
_MOST_TESTS: Final = 3
_JSON: Final = re.compile(r"[\[{]")
_FOLDER: Final = re.compile(r"(/[^\s:]+)?/pytest-of-[^/\s]+/pytest-\d+/(popen-\w+/)?[^/\s:]+")
_NUMBER: Final = re.compile(r"\d[\d.,:]*")

_said: list[tuple[str, str]] = []
"""Messages of this run, each with its test."""


@pytest.fixture(autouse=True)
def messages(request: pytest.FixtureRequest) -> Iterator[dict[str, None]]:
    """Collect the messages of the command line during a test."""
    said: dict[str, None] = {}
    console_class = console._Console  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    print_, describe = console_class.print, CliError.__init__

    def printing(self: Any, *texts: object, **options: Any) -> None:  # noqa: ANN401 - rich's
        said[" ".join(str(text) for text in texts if isinstance(text, str | Text))] = None
        print_(self, *texts, **options)

    def describing(self: CliError, sentence: str, *code: ExitCode) -> None:
        said[f"Error: {sentence}"] = None
        describe(self, sentence, *code)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console_class, "print", printing)
        patch.setattr(CliError, "__init__", describing)
        yield said
    request.node.user_properties += [(_PROPERTY, text) for text in said]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the messages of a test that has ended."""
    if report.when == "teardown":
        _said.extend(
            (str(text), report.nodeid) for name, text in report.user_properties if name == _PROPERTY
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the index if there were any messages."""
    if _said:
        path = session.config.rootpath / "build" / "messages.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(index(_said), encoding="utf-8")


def index(said: Iterable[tuple[str, str]]) -> str:
    """Return each message once, with its first tests; messages that differ in numbers are one."""
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for text, test in said:
        message = _FOLDER.sub("FOLDER", text).strip()
        if message and not _JSON.match(message):
            known = found.setdefault(_NUMBER.sub("0", message), (message, {}))
            known[1][test.partition("[")[0]] = None
    parts: list[str] = []
    for _, (message, tests) in sorted(found.items()):
        some = [f"    {test}" for test in [*tests][:_MOST_TESTS]]
        more = len(tests) - _MOST_TESTS
        parts.append("\n".join([message, *some, *([f"    and {more} more"] if more > 0 else [])]))
    return "\n\n".join(parts) + "\n"
