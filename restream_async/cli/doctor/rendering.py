"""Private: shows the results of `doctor` as lines or as JSON."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from restream_async.cli.doctor.results import Result, Status
from restream_async.cli.output.console import safe

_STYLES: Final = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
}
_WIDTH: Final = max(len(status.value) for status in Status) + 2
_NARROW: Final = 60
_NARROW_INDENT: Final = 2


def print_result(console: Console, result: Result) -> None:
    """Print one result: a line, and what to do on the next one; wrapped on a terminal only."""
    mark = Text(result.status.value.ljust(_WIDTH), _STYLES[result.status])
    head = Text.assemble(mark, (result.check, "bold"), f": {safe(result.detail)}")
    is_terminal = console.file.isatty()
    indent = _NARROW_INDENT if is_terminal and console.width < _NARROW else _WIDTH
    lines = [*_hanging(console, head, indent)] if is_terminal else [head]
    if result.advice:
        advice = Text(" " * indent + safe(result.advice))
        lines += [*_hanging(console, advice, indent)] if is_terminal else [advice]
    console.print(Text("\n").join(lines), soft_wrap=True)


def _hanging(console: Console, text: Text, indent: int) -> Iterator[Text]:
    """Wrap a text; all lines but the first have the indent."""
    lines = text[indent:].wrap(console, max(1, console.width - indent))
    for number, line in enumerate(lines):
        line.rstrip()
        yield (text[:indent] if not number else Text(" " * indent)) + line


def json_fields(result: Result) -> dict[str, str]:
    """Return a result for `--json`."""
    return {
        "check": result.check,
        "status": result.status.value,
        "detail": safe(result.detail),
        "advice": safe(result.advice),
    }
