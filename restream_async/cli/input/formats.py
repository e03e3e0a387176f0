"""Private: reads restreams from lines of CSV or JSON.

Every line becomes a `Row` or a `BadLine`. A reason names the column and the problem, but never the
value, which may be a key.
"""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from restream_async import InvalidRestreamError, NewRestream
from restream_async._http import serialization
from restream_async._http.json_values import UnreadableError, as_object, parse
from restream_async._util.stray_characters import named, trimmed
from restream_async.cli.errors import CliError
from restream_async.cli.output.console import plural, safe

Format: TypeAlias = Literal["csv", "jsonl"]

ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""The format that a file extension names."""

COLUMNS: Final = tuple(serialization.json_name(field.name) for field in attrs.fields(NewRestream))

STATUS_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on", "active"), True),
    **dict.fromkeys(("false", "0", "no", "off", "inactive"), False),
}

# Stands for bytes that are not UTF-8 (`surrogateescape`).
UNDECODED: Final = re.compile(r"[\udc80-\udcff]")
NOT_UTF8: Final = "is not UTF-8: save the file as UTF-8"
# Spreadsheets write semicolons where the comma is the decimal mark.
DELIMITERS: Final = (",", ";", "\t")
_MOST_EXTRA: Final = 20


@attrs.frozen
class Row:
    """A restream to create, and the line on which it begins, from 1."""

    line: int
    restream: NewRestream


@attrs.frozen
class BadLine:
    """A line that is not a restream, and why."""

    line: int
    reason: str


class LineReader:
    """Reads lines of one format.

    Attributes:
        name: the name of the input in messages.
        per_line: how many restreams each line asks for.
        needed: the names of the columns that each line must have.
        extra: names of columns or fields that are ignored; filled while reading.
        header: the line with the names of the columns, as it is in the input; JSON has none.
        record: the lines of the latest item, as they are in the input.

    """

    def __init__(self, name: str, format_: Format) -> None:
        """Read an input of that name and format."""
        self.name = name
        self.per_line = 1
        self.needed: tuple[str, ...] = COLUMNS
        self.extra: dict[str, None] = {}
        self.header = b""
        self.record: list[bytes] = []
        self._format: Format = format_

    def read(self, lines: Iterable[bytes]) -> Iterator[Row | BadLine]:
        """Read lines, each with its line break; skip blank ones.

        Raises:
            CliError: the CSV header is unusable, or the input is a JSON array.

        """
        texts = self._texts(lines)
        return self._csv(texts) if self._format == "csv" else self._jsonl(texts)

    def _csv(self, texts: Iterator[str]) -> Iterator[Row | BadLine]:
        header_line, header = next(
            ((line, text) for line, text in enumerate(texts, 1) if text.strip()), (0, None)
        )
        if header is None:
            return
        self.header = self.record[-1]
        delimiter, columns = self._columns(header)
        self._note(name for name in columns if name and name not in self.needed)
        self._note(f"{column} (without a name)" for column in _nameless(columns))
        rows = csv.reader(texts, delimiter=delimiter, strict=True)
        while True:
            # A quoted cell may contain line breaks: a row is known by its first line.
            line = header_line + rows.line_num + 1
            self.record.clear()
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(
                    line, _csv_problem(error, lines=header_line + rows.line_num + 1 - line)
                )
                continue
            if any(map(str.strip, cells)):
                yield from self._csv_row(line, columns, cells)

    def _jsonl(self, texts: Iterator[str]) -> Iterator[Row | BadLine]:
        first = True
        for line, text in enumerate(texts, 1):
            del self.record[:-1]
            if not text.strip():
                continue
            if first and text.lstrip().startswith("["):
                raise CliError(
                    f"{self.name} is a JSON array: write one object on each line, for example "
                    "with `jq -c '.[]'`"
                )
            first = False
            yield from self._json_row(line, text)

    def _csv_row(
        self, line: int, columns: Sequence[str], cells: Sequence[str]
    ) -> Iterator[Row | BadLine]:
        if len(cells) != len(columns):
            yield BadLine(
                line,
                f"has {plural(len(cells), 'cell')}, but the header has {len(columns)} "
                '(put a cell that contains a delimiter or a quote in "quotes")',
            )
        elif any(map(UNDECODED.search, cells)):
            yield BadLine(line, NOT_UTF8)
        else:
            yield from self._from_cells(line, dict(zip(columns, cells, strict=True)))

    def _json_row(self, line: int, text: str) -> Iterator[Row | BadLine]:
        if UNDECODED.search(text):
            yield BadLine(line, NOT_UTF8)
            return
        try:
            fields = as_object(parse(text))
        except UnreadableError as error:
            yield BadLine(line, str(error).removeprefix("it "))
            return
        if fields is None:
            yield BadLine(line, "is not a JSON object")
            return
        self._note(name for name in fields if name not in self.needed)
        yield from self._from_object(line, fields)

    def _from_cells(self, line: int, cells: Mapping[str, str]) -> Iterator[Row | BadLine]:
        """Yield what the cells of a CSV line ask for."""
        yield _row_of_cells(line, cells)

    def _from_object(self, line: int, fields: Mapping[str, object]) -> Iterator[Row | BadLine]:
        """Yield what a JSON object asks for."""
        try:
            yield Row(line, serialization.read_new_restream(fields))
        except InvalidRestreamError as error:
            yield BadLine(line, serialization.problems_in_json_names(error))

    def _texts(self, lines: Iterable[bytes]) -> Iterator[str]:
        start = True
        for line in lines:
            self.record.append(line)
            # Undecodable bytes are kept, so that their line is reported with its number.
            yield (line.removeprefix(BOM_UTF8) if start else line).decode(errors="surrogateescape")
            start = False

    def _columns(self, header: str) -> tuple[str, list[str]]:
        """Return the delimiter, and the columns under their JSON field names."""
        found = {delimiter: self._names(header, delimiter) for delimiter in DELIMITERS}
        for delimiter, names in found.items():
            doubled = [name for name in self.needed if names.count(name) > 1]
            if doubled:
                columns = "column" if len(doubled) == 1 else "columns"
                raise CliError(f"{self.name} has the {columns} {', '.join(doubled)} more than once")
            if set(self.needed).issubset(names):
                return delimiter, names
        nearest = max(found.values(), key=lambda names: len(set(self.needed).intersection(names)))
        if header.lstrip().startswith(("{", "[")):
            raise CliError(f"{self.name} is JSON, not CSV: pass --format jsonl for JSON lines")
        if UNDECODED.search(header):
            raise CliError(f"the first line of {self.name} {NOT_UTF8}")
        missing = [name for name in self.needed if name not in nearest]
        nameless = ", ".join(_nameless(nearest)[:_MOST_EXTRA])
        raise CliError(
            f"the first line of {self.name} must name the columns {','.join(self.needed)}; "
            f"missing: {', '.join(missing)}"
            + (f"; without a name: {nameless}" if nameless else "")
            + self._advice(missing)
        )

    def _names(self, header: str, delimiter: str) -> list[str]:
        try:
            cells = next(csv.reader([header], delimiter=delimiter))
        except csv.Error as error:
            problem = _csv_problem(error, lines=1)
        else:
            known = {name.casefold(): name for name in self.needed}
            names = map(trimmed, cells)
            return [known.get(name.casefold(), name) for name in names]
        raise CliError(f"the first line of {self.name}: {problem}")

    def _advice(self, missing: Sequence[str]) -> str:
        """Return what else to say about columns that are missing."""
        del missing
        return ""

    def _note(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self.extra) < _MOST_EXTRA:
                self.extra[safe(name)] = None


def _nameless(columns: Sequence[str]) -> list[str]:
    return [f"column {number}" for number, name in enumerate(columns, 1) if not name]


def _row_of_cells(line: int, values: Mapping[str, str]) -> Row | BadLine:
    status = STATUS_WORDS.get(trimmed(values["status"]).casefold())
    problems: list[str] = []
    try:
        # The other cells are checked even if the status is wrong.
        restream = serialization.read_new_restream({**values, "status": bool(status)})
    except InvalidRestreamError as error:
        problems.append(serialization.problems_in_json_names(error))
    else:
        if status is not None:
            return Row(line, restream)
    if status is None:
        problems.append(f"status must be one of {', '.join(STATUS_WORDS)}")
    return BadLine(line, "; ".join(problems))


def _csv_problem(error: csv.Error, *, lines: int) -> str:
    """Return what is wrong with a row that has taken up `lines` so far."""
    # The texts of the csv module contain no cell.
    text = str(error)
    if "unexpected end of data" in text:
        return "a quoted cell is not closed"
    if "field larger" in text:
        quote = ": its closing quote seems to be missing" if lines > 1 else ""
        return f"a cell is longer than {csv.field_size_limit():,} characters{quote}"
    if "new-line character" in text:
        return f"{named(chr(13))} stands outside quotes"
    return f"is not CSV: {text}"
