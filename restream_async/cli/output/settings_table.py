"""Private: shows settings as a table, as a list, or as JSON."""

from typing import Any, Final

import attrs
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from restream_async.cli.output.console import safe, say

_UNBOUNDED: Final = 10_000
_NARROW: Final = 72
"""Columns below which a list is easier to read than a table."""


@attrs.frozen(kw_only=True)
class Setting:
    """A setting, without secrets.

    Attributes:
        name: what it is called.
        value: what it is; empty if it is missing.
        source: the option or the variable that it comes from, or `default`, or `missing`.
        problem: what is wrong with it and what to do, or empty.

    """

    name: str
    value: str
    source: str
    problem: str = ""

    @property
    def json_fields(self) -> dict[str, Any]:
        """The setting for `--json`."""
        return {
            "name": self.name,
            "value": safe(self.value),
            "source": safe(self.source),
            "problem": safe(self.problem) or None,
        }


def print_settings(console: Console, settings: list[Setting]) -> None:
    """Print a table, or a list if the terminal is too narrow for it; then what is wrong."""
    if not console.file.isatty():
        console.width = _UNBOUNDED
    if console.width >= _NARROW:
        console.print(_table(settings))
    else:
        say(console, Text("\n").join(map(_entry, settings)))
    for each in settings:
        if each.problem:
            say(console, Text.assemble(("✗ ", "bold red"), safe(each.problem)))


def _table(settings: list[Setting]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", no_wrap=True)
    for each in settings:
        table.add_row(*_cells(each))
    return table


def _entry(setting: Setting) -> Text:
    name, value, source = _cells(setting)
    name.stylize("bold")
    return Text.assemble(name, ": ", value, "\n  from ", source)


def _cells(setting: Setting) -> tuple[Text, Text, Text]:
    value = Text(safe(setting.value), "red" if setting.problem else "")
    return Text(setting.name), value, Text(safe(setting.source), "dim")
