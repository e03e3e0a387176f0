"""Reading many restreams from CSV or JSON lines: pure functions over lines.

Every line becomes a `Row` or a `Bad`. A reason names the column and what is wrong with it, never
the value: it may be a key.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias, cast

import attrs

from restream_async import InvalidRestreamError, NewRestream, codec
from restream_async.cli.screen import safe
from restream_async.cli.trouble import Trouble
from restream_async.codec import UnreadableError

Format: TypeAlias = Literal["csv", "jsonl"]

COLUMNS: Final = tuple(codec.wire_name(field.name) for field in attrs.fields(NewRestream))

STATUS_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on", "active"), True),
    **dict.fromkeys(("false", "0", "no", "off", "inactive"), False),
}

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# How bytes that are no UTF-8 come out of decoding.
_UNDECODED: Final = re.compile(r"[\udc80-\udcff]")
_NO_UTF8: Final = "is not UTF-8: save the file as UTF-8"
# The spreadsheets of half the world write semicolons.
_DELIMITERS: Final = (",", ";", "\t")
# So many names of unknown columns are remembered.
_MOST_EXTRA: Final = 20


@attrs.frozen
class Row:
    """A restream to create, and the line on which it begins, from 1."""

    line: int
    restream: NewRestream


@attrs.frozen
class Bad:
    """A line that is no restream, and why not."""

    line: int
    reason: str


class Reader:
    """Reads lines of one format.

    Attributes:
        name: what to call the input.
        extra: names of columns or fields that mean nothing here; filled while reading.

    """

    def __init__(self, name: str, form: Format) -> None:
        """Read an input of that name and format."""
        self.name = name
        self.extra: dict[str, None] = {}
        self._form: Format = form

    def read(self, lines: Iterable[bytes]) -> Iterator[Row | Bad]:
        """Read all lines of an input, each with its line break. Blank ones are left out.

        Raises:
            Trouble: there is no usable header.

        """
        texts = self._texts(lines)
        return self._csv(texts) if self._form == "csv" else self._jsonl(texts)

    def _csv(self, texts: Iterator[str]) -> Iterator[Row | Bad]:
        header_line, header = next(
            ((line, text) for line, text in enumerate(texts, 1) if text.strip()), (0, None)
        )
        if header is None:
            return
        delimiter, columns = self._columns(header)
        self._note(name for name in columns if name not in COLUMNS)
        rows = csv.reader(texts, delimiter=delimiter, strict=True)
        while True:
            # A quoted cell may hold line breaks: a row is known by the line it begins on.
            line = header_line + rows.line_num + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Bad(line, _csv_problem(error))
                continue
            if any(map(str.strip, cells)):
                yield _csv_row(line, columns, cells)

    def _jsonl(self, texts: Iterator[str]) -> Iterator[Row | Bad]:
        for line, text in enumerate(texts, 1):
            if text.strip():
                yield self._json_row(line, text)

    def _json_row(self, line: int, text: str) -> Row | Bad:
        if _UNDECODED.search(text):
            return Bad(line, _NO_UTF8)
        try:
            value = codec.parse(text)
            fields = cast("dict[str, object]", value) if isinstance(value, dict) else None
            if fields is None:
                return Bad(line, "is no JSON object")
            row = Row(line, codec.new_restream(fields))
        except UnreadableError as error:
            return Bad(line, str(error).removeprefix("it "))
        except InvalidRestreamError as error:
            return Bad(line, _reason(error))
        self._note(name for name in fields if name not in COLUMNS)
        return row

    def _texts(self, lines: Iterable[bytes]) -> Iterator[str]:
        start = True
        for line in lines:
            if start and line.startswith(_UTF16):
                raise Trouble(f"{self.name} is UTF-16: save it as UTF-8")
            # Undecodable bytes are kept for later, so that their line is reported with its number.
            yield (line.removeprefix(_BOM) if start else line).decode(errors="surrogateescape")
            start = False

    def _columns(self, header: str) -> tuple[str, list[str]]:
        """Return the delimiter, and the names of the columns as the wire spells them."""
        found = {delimiter: _names(header, delimiter) for delimiter in _DELIMITERS}
        for delimiter, names in found.items():
            doubled = [name for name in COLUMNS if names.count(name) > 1]
            if doubled:
                raise Trouble(f"{self.name} has the column {doubled[0]} more than once")
            if set(COLUMNS).issubset(names):
                return delimiter, names
        nearest = max(found.values(), key=lambda names: len(set(COLUMNS).intersection(names)))
        missing = [name for name in COLUMNS if name not in nearest]
        raise Trouble(
            f"the first line of {self.name} must name the columns {','.join(COLUMNS)}; "
            f"missing: {', '.join(missing)}"
        )

    def _note(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self.extra) < _MOST_EXTRA:
                self.extra[safe(name)] = None


def _names(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter))
    except csv.Error:
        return []
    known = {name.casefold(): name for name in COLUMNS}
    return [known.get(cell.strip().casefold(), cell.strip()) for cell in cells]


def _csv_row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row | Bad:
    if len(cells) != len(columns):
        return Bad(
            line,
            f"has {len(cells)} cells where the header has {len(columns)} "
            '(a cell that holds a delimiter or a quote stands in "quotes")',
        )
    values = dict(zip(columns, cells, strict=True))
    if any(map(_UNDECODED.search, cells)):
        return Bad(line, _NO_UTF8)
    status = STATUS_WORDS.get(values["status"].strip().casefold())
    if status is None:
        return Bad(line, f"status must be one of {', '.join(STATUS_WORDS)}")
    for name in COLUMNS:
        # An accident of typing, and a restream that goes nowhere.
        if values[name] != values[name].strip() and name != "status":
            return Bad(line, f"{name} begins or ends with a space")
    try:
        return Row(line, codec.new_restream({**values, "status": status}))
    except InvalidRestreamError as error:
        return Bad(line, _reason(error))


def _csv_problem(error: csv.Error) -> str:
    # The module's own texts repeat no cell.
    text = str(error)
    if "unexpected end of data" in text or "field larger" in text:
        return "a quoted cell is not closed"
    return f"is not CSV: {text}"


def _reason(error: InvalidRestreamError) -> str:
    between = ": " if error.reason.startswith("expected") else " "
    return f"{codec.wire_name(error.field)}{between}{error.reason}"
