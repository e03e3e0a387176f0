"""Private: changes as a table for people, grouped by video, without keys and stream URLs."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs
from rich.console import Console
from rich.text import Text

from restream_async.changes import Action, Change
from restream_async.cli.errors import brief
from restream_async.cli.output.change_lines import host_shown
from restream_async.cli.output.change_totals import (
    DONE_WORDS,
    Result,
    has_other_title,
    result_of,
)
from restream_async.cli.output.console import plural, safe
from restream_async.cli.output.outcome_totals import NOT_SENT

_SYMBOLS: Final = {
    Action.CREATE: ("+", "green"),
    Action.ENABLE: ("~", "yellow"),
    Action.DISABLE: ("~", "yellow"),
    Action.ROTATE: ("±", "magenta"),
    Action.DELETE: ("-", "red"),
    Action.KEEP: ("=", "dim"),
}
_NOT_MADE: Final = ("✗", "bold red")
_NOT_READ: Final = "not read"
_MARGIN: Final = 2
# The longest word is `disabled`.
_LEAD: Final = _MARGIN + len("~ disabled  ")
# Further lines of a row begin below its title, or farther left if the row does not fit.
_BELOW: Final = Text(" " * _LEAD)
_BELOW_NARROW: Final = Text(" " * 2 * _MARGIN)
_GAP: Final = 2
# A longer cell moves the rest of its own row only.
_WIDEST: Final = 24


def is_shown(change: Change) -> bool:
    """Return whether the table has a row for a change; not if it is as wanted or not sent."""
    if isinstance(change.error, NOT_SENT):
        return False
    if result_of(change) is not Result.UNCHANGED or has_other_title(change):
        return True
    return change.is_unclear and change.is_extra


@attrs.define
class ChangeTable:
    """Renders changes as rows. Later rows are at least as wide as earlier ones.

    Attributes:
        console: where the table is printed. Lines are wrapped on a terminal only.
        applied: whether the changes come from `apply`.

    """

    console: Console
    applied: bool
    _title: int = 0
    _host: int = 0
    _id: int = 0

    def render(self, changes: Iterable[Change]) -> Text:
        """Return the rows of changes; those of one video must follow each other."""
        rows = [
            (video_id, list(self._rows(of_video)))
            for video_id, of_video in itertools.groupby(changes, lambda each: each.video_id)
        ]
        for row in itertools.chain.from_iterable(rows for _, rows in rows):
            self._title = _wider(self._title, row.title)
            self._host = _wider(self._host, row.host)
            self._id = _wider(self._id, row.id)
        lines: list[Text] = []
        for video_id, of_video in rows:
            lines += self._wrapped(Text(safe(video_id), "bold"), Text())
            lines += itertools.chain.from_iterable(map(self._lines, of_video))
        return Text("\n").join(lines)

    def _rows(self, changes: Iterable[Change]) -> Iterator["_Row"]:
        for result, group in itertools.groupby(changes, result_of):
            of_result = list(group)
            if result is Result.NOT_READ:
                yield _unread_row(of_result)
            else:
                yield from (_row(each, applied=self.applied) for each in of_result)

    def _lines(self, row: "_Row") -> Iterator[Text]:
        """Yield the lines of a row: one, if it fits."""
        line = row.lead + self._aligned([row.title, row.host, row.id])
        noted = line + Text(" " * _GAP) + row.notes
        below = _BELOW
        if self._fits(noted):
            yield _trimmed(noted)
        elif self._fits(line):
            yield _trimmed(line)
            yield from self._wrapped(row.notes, below)
        else:
            below = _BELOW_NARROW
            yield from self._wrapped(row.title, row.lead)
            details = Text(", ").join(part for part in (row.host, row.id, row.notes) if part)
            yield from self._wrapped(details, below)
        yield from self._wrapped(row.reason, below)

    def _aligned(self, parts: Sequence[Text]) -> Text:
        widths = (self._title, self._host, self._id)
        cells: list[Text] = []
        for part, width in zip(parts, widths, strict=True):
            if width or part:
                cell = part.copy()
                cell.append(" " * max(0, width - part.cell_len))
                cells.append(cell)
        return Text(" " * _GAP).join(cells)

    def _fits(self, line: Text) -> bool:
        return not self._is_terminal or _trimmed(line).cell_len <= self.console.width

    def _wrapped(self, text: Text, lead: Text) -> Iterator[Text]:
        """Yield the lines of a text that fit beside a lead; none of an empty text."""
        if not text:
            return
        room = max(1, self.console.width - lead.cell_len)
        for line in text.wrap(self.console, room) if self._is_terminal else [text]:
            yield lead + _trimmed(line)
            lead = Text(" " * lead.cell_len)

    @property
    def _is_terminal(self) -> bool:
        return self.console.file.isatty()


def _trimmed(line: Text) -> Text:
    trimmed = line.copy()
    trimmed.rstrip()
    return trimmed


def _wider(width: int, cell: Text) -> int:
    """Return the width of a column with one more cell."""
    return width if cell.cell_len > _WIDEST else max(width, cell.cell_len)


@attrs.frozen
class _Row:
    """The cells of a row."""

    lead: Text
    title: Text
    host: Text
    id: Text
    notes: Text
    reason: Text


def _row(change: Change, *, applied: bool) -> _Row:
    result = result_of(change)
    was_made = applied and result is Result.DONE
    is_failure = change.error is not None
    symbol, style = _NOT_MADE if is_failure else _SYMBOLS[change.action]
    word = DONE_WORDS[change.action] if was_made else change.action.value
    return _Row(
        lead=_lead(symbol, word, style),
        title=Text(safe(change.title)),
        host=Text(safe(host_shown(change) or ""), "dim"),
        id=Text(_id(change, was_made=was_made), "dim"),
        notes=Text(", ".join(_notes(change)), "yellow"),
        reason=Text(_reason(change, result)) if is_failure else Text(),
    )


def _unread_row(changes: Sequence[Change]) -> _Row:
    error = changes[0].error
    return _Row(
        lead=_lead(_NOT_MADE[0], _NOT_READ, _NOT_MADE[1]),
        title=Text(plural(len(changes), "restream")),
        host=Text(),
        id=Text(),
        notes=Text(),
        reason=Text(brief(error) if error is not None else ""),
    )


def _lead(symbol: str, word: str, style: str) -> Text:
    return Text(" " * _MARGIN) + Text(f"{symbol} {word}".ljust(_LEAD - _MARGIN), style)


def _id(change: Change, *, was_made: bool) -> str:
    if change.existing is None:
        return ""
    is_gone = was_made and change.action in {Action.ROTATE, Action.DELETE}
    return f"{'was ' if is_gone else ''}id {safe(change.existing.id)}"


def _notes(change: Change) -> Iterator[str]:
    if change.is_duplicate:
        yield "duplicate"
    elif change.is_extra:
        yield "extra"
    if change.is_unclear:
        yield "unclear"
    if has_other_title(change) and change.existing is not None:
        yield f"title differs: {safe(change.existing.title)}"
    if change.needs:
        yield f"needs --{change.needs}"


def _reason(change: Change, result: Result) -> str:
    error = change.error
    cause = "" if error is None else brief(error)
    return f"may or may not be done: {cause}" if result is Result.UNKNOWN else cause
