"""Private: shows the warnings of the library on standard error."""

import contextlib
import logging
import sys
from collections.abc import Generator
from typing import Final

from restream_async.cli.output.console import console_on, safe, say

_LIBRARY: Final = logging.getLogger("restream_async")


class _Shown(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # A command that sets up logging shows them itself.
        if not _LIBRARY.root.handlers:
            say(console_on(sys.stderr), f"Warning: {safe(record.getMessage())}")


@contextlib.contextmanager
def shown_warnings() -> Generator[None]:
    """Show what the library logs from WARNING on, unless the command sets up logging."""
    handler = _Shown(logging.WARNING)
    _LIBRARY.addHandler(handler)
    try:
        yield
    finally:
        _LIBRARY.removeHandler(handler)
