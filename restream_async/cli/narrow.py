"""Help on a narrow terminal: what an option does stands below its name, not beside it."""

import shutil
from collections.abc import Sequence
from typing import Any, Final

import typer

# typer's own copy of click, which has no public name.
from typer._click.core import Context  # pyright: ignore[reportPrivateUsage]
from typer._click.formatting import HelpFormatter  # pyright: ignore[reportPrivateUsage]

_NARROW: Final = 72
"""Columns below which a table of options cuts off their names."""


class _Stacked(HelpFormatter):
    """Writes names and what they mean below each other."""

    def __init__(self, **_: Any) -> None:  # noqa: ANN401 - the width that typer would choose
        super().__init__(width=shutil.get_terminal_size().columns - 1)

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write a list of definitions."""
        del col_max, col_spacing
        for name, meaning in rows:
            self.write_text(name)
            with self.indentation():
                self.write_text(meaning)


def suit_help(app: typer.Typer) -> None:
    """Let the help of `app` suit the width of the terminal."""
    narrow = shutil.get_terminal_size().columns < _NARROW
    app.rich_markup_mode = None if narrow else "markdown"
    Context.formatter_class = _Stacked if narrow else HelpFormatter
