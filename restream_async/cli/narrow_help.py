"""Private: `--help` on a narrow terminal: each option's text stands below its name."""

import inspect
import shutil
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

_NARROW: Final = 72
"""Columns below which rich's table of options cuts off their names."""


# typer has no public names for the classes of its contexts and formatters.
class Command(TyperCommand):
    """A command whose help fits the width of the terminal."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the help."""
        if not _write_narrow(self, ctx, formatter):
            super().format_help(ctx, formatter)


class Group(TyperGroup):
    """A group of commands whose help fits the width of the terminal."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the help."""
        if not _write_narrow(self, ctx, formatter):
            super().format_help(ctx, formatter)


def _write_narrow(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> bool:  # noqa: ANN401 - as above
    """Write the help if the terminal is narrow; return whether it is."""
    columns = shutil.get_terminal_size().columns
    if columns >= _NARROW:
        return False
    formatter.write("\n".join(_help(command, ctx, columns)))
    return True


def _help(command: TyperCommand | TyperGroup, ctx: Any, columns: int) -> Iterator[str]:  # noqa: ANN401 - as above
    def paragraph(text: str, indent: int) -> str:
        margin = " " * indent
        return textwrap.fill(
            text,
            columns - 1,
            initial_indent=margin,
            subsequent_indent=margin,
            break_on_hyphens=False,
            break_long_words=False,
        )

    yield paragraph(" ".join(["Usage:", ctx.command_path, *command.collect_usage_pieces(ctx)]), 0)
    for each in _paragraphs(command.help):
        yield f"\n{paragraph(each, 2)}"
    for title, entries in _sections(command, ctx).items():
        yield f"\n{title}:"
        for name, text in entries:
            yield paragraph(name, 2)
            yield paragraph(text, 4)
    for each in _paragraphs(command.epilog):
        yield f"\n{paragraph(each, 2)}"


def _sections(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, list[tuple[str, str]]]:  # noqa: ANN401 - as above
    sections: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for param in command.get_params(ctx):
        default = "Arguments" if param.param_type_name == "argument" else "Options"
        title = getattr(param, "rich_help_panel", None) or default
        # A hidden option has no entry.
        sections[title] += filter(None, [param.get_help_record(ctx)])
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            sections["Commands"].append((name, _paragraphs(each.help)[0]))
    return sections


def _paragraphs(text: str | None) -> list[str]:
    return inspect.cleandoc(text or "").split("\n\n") if text else []
