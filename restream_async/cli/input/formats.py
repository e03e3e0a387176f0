"""Reading many restreams from CSV or JSON lines: pure functions over lines.

Every line becomes a `Row` or a `Bad`. A reason names the column and what is wrong with it, never
the value: it may be a key.
"""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias, cast

import attrs

from restream_async import InvalidRestreamError, NewRestream
from restream_async._http import serialization
from restream_async._http.serialization import UnreadableError
from restream_async._util.stray_characters import named, trimmed
from restream_async.cli.errors import CliError
from restream_async.cli.output.console import plural, safe

Format: TypeAlias = Literal["csv", "jsonl"]

COLUMNS: Final = tuple(serialization.json_name(field.name) for field in attrs.fields(NewRestream))

STATUS_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on", "active"), True),
    **dict.fromkeys(("false", "0", "no", "off", "inactive"), False),
}

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
            CliError: there is no usable header, or it is a JSON array.

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
        self._note(name for name in columns if name and name not in COLUMNS)
        self._note(f"{column} (without a name)" for column in _nameless(columns))
        rows = csv.reader(texts, delimiter=delimiter, strict=True)
        while True:
            # A quoted cell may hold line breaks: a row is known by the line it begins on.
            line = header_line + rows.line_num + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Bad(line, _csv_problem(error, lines=header_line + rows.line_num + 1 - line))
                continue
            if any(map(str.strip, cells)):
                yield _csv_row(line, columns, cells)

    def _jsonl(self, texts: Iterator[str]) -> Iterator[Row | Bad]:
        first = True
        for line, text in enumerate(texts, 1):
            if not text.strip():
                continue
            if first and text.lstrip().startswith("["):
                raise CliError(
                    f"{self.name} is a JSON array: one object a line is needed, as "
                    "`jq -c '.[]'` writes them"
                )
            first = False
            yield self._json_row(line, text)

    def _json_row(self, line: int, text: str) -> Row | Bad:
        if _UNDECODED.search(text):
            return Bad(line, _NO_UTF8)
        try:
            value = serialization.parse(text)
            fields = cast("dict[str, object]", value) if isinstance(value, dict) else None
            if fields is None:
                return Bad(line, "is no JSON object")
            row = Row(line, serialization.read_new_restream(fields))
        except UnreadableError as error:
            return Bad(line, str(error).removeprefix("it "))
        except InvalidRestreamError as error:
            return Bad(line, serialization.problems_in_json_names(error))
        self._note(name for name in fields if name not in COLUMNS)
        return row

    def _texts(self, lines: Iterable[bytes]) -> Iterator[str]:
        start = True
        for line in lines:
            # Undecodable bytes are kept for later, so that their line is reported with its number.
            yield (line.removeprefix(BOM_UTF8) if start else line).decode(errors="surrogateescape")
            start = False

    def _columns(self, header: str) -> tuple[str, list[str]]:
        """Return the delimiter, and the names of the columns as the wire spells them."""
        found = {delimiter: self._names(header, delimiter) for delimiter in _DELIMITERS}
        for delimiter, names in found.items():
            doubled = [name for name in COLUMNS if names.count(name) > 1]
            if doubled:
                columns = "column" if len(doubled) == 1 else "columns"
                raise CliError(f"{self.name} has the {columns} {', '.join(doubled)} more than once")
            if set(COLUMNS).issubset(names):
                return delimiter, names
        nearest = max(found.values(), key=lambda names: len(set(COLUMNS).intersection(names)))
        if header.lstrip().startswith(("{", "[")):
            raise CliError(f"{self.name} is JSON, not CSV: pass --format jsonl for JSON lines")
        if _UNDECODED.search(header):
            raise CliError(f"the first line of {self.name} {_NO_UTF8}")
        missing = ", ".join(name for name in COLUMNS if name not in nearest)
        nameless = ", ".join(_nameless(nearest)[:_MOST_EXTRA])
        raise CliError(
            f"the first line of {self.name} must name the columns {','.join(COLUMNS)}; "
            f"missing: {missing}" + (f"; without a name: {nameless}" if nameless else "")
        )

    def _names(self, header: str, delimiter: str) -> list[str]:
        try:
            cells = next(csv.reader([header], delimiter=delimiter))
        except csv.Error as error:
            problem = _csv_problem(error, lines=1)
        else:
            known = {name.casefold(): name for name in COLUMNS}
            names = map(trimmed, cells)
            return [known.get(name.casefold(), name) for name in names]
        raise CliError(f"the first line of {self.name}: {problem}")

    def _note(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self.extra) < _MOST_EXTRA:
                self.extra[safe(name)] = None


def _nameless(columns: Sequence[str]) -> list[str]:
    return [f"column {number}" for number, name in enumerate(columns, 1) if not name]


def _csv_row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row | Bad:
    if len(cells) != len(columns):
        return Bad(
            line,
            f"has {plural(len(cells), 'cell')} where the header has {len(columns)} "
            '(a cell that holds a delimiter or a quote stands in "quotes")',
        )
    values = dict(zip(columns, cells, strict=True))
    if any(map(_UNDECODED.search, cells)):
        return Bad(line, _NO_UTF8)
    status = STATUS_WORDS.get(trimmed(values["status"]).casefold())
    problems: list[str] = []
    try:
        # Where the status is no word for one, the others are checked all the same.
        restream = serialization.read_new_restream({**values, "status": bool(status)})
    except InvalidRestreamError as error:
        problems.append(serialization.problems_in_json_names(error))
    else:
        if status is not None:
            return Row(line, restream)
    if status is None:
        problems.append(f"status must be one of {', '.join(STATUS_WORDS)}")
    return Bad(line, "; ".join(problems))


def _csv_problem(error: csv.Error, *, lines: int) -> str:
    """Return what is wrong with a row that was read up to the last of its `lines`."""
    # The module's own texts repeat no cell.
    text = str(error)
    if "unexpected end of data" in text:
        return "a quoted cell is not closed"
    if "field larger" in text:
        quote = ": its closing quote seems to be missing" if lines > 1 else ""
        return f"a cell is longer than {csv.field_size_limit():,} characters{quote}"
    if "new-line character" in text:
        return f"{named(chr(13))} stands outside of quotes"
    return f"is not CSV: {text}"
