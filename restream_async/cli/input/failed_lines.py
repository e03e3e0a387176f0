"""Private: the lines of an input whose restreams were not created, copied at the end of a run."""

from collections.abc import Iterable

from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import LineReader
from restream_async.cli.output.rejects_file import RejectsFile


class FailedLines:
    """Remembers lines that failed, in one byte for each line of the input."""

    def __init__(self, reader: LineReader, lines: Iterable[bytes], file: RejectsFile) -> None:
        """Copy lines that `reader` understands to `file`; `lines` yields the input once more."""
        self.file = file
        self._reader = reader
        self._lines = lines
        self._failed = bytearray()

    def add(self, line: int) -> None:
        """Remember a line."""
        if self.file.path is None:
            return
        if line >= len(self._failed):
            self._failed.extend(bytes(line + 1 - len(self._failed)))
        self._failed[line] = 1

    def remove(self, line: int) -> None:
        """Forget a line."""
        if line < len(self._failed):
            self._failed[line] = 0

    def copy(self) -> str:
        """Write what is remembered to the file, in the order of the input.

        Returns:
            Why lines are missing in the file, or an empty text.

        """
        reader, failed = self._reader, self._failed
        last = failed.rfind(1)
        try:
            # Lines begin with 1.
            for item in reader.read(self._lines) if last > 0 else ():
                if failed[item.line]:
                    self.file.write(reader.header, reader.record)
                if item.line == last:
                    break
        except CliError:
            changed = f"{reader.name} changed, or cannot be read any more"
            return f"the rejects {self.file.path} are incomplete: {changed}"
        return self.file.finish()
