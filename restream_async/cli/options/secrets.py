"""Private: reads secrets from files, from the environment or from a hidden prompt.

Never from an argument, because every process on the machine could read it.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from restream_async._util.text_files import NoTextError, text_of_file
from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.output.console import console_on

STREAM_KEY_VARIABLE: Final = "RESTREAM_STREAM_KEY"

# No key is longer: a longer file is the wrong one.
_LONGEST: Final = 64 * 1024
_STDIN: Final = Path("-")


def read_secret(path: Path, what: str) -> str:
    """Return the secret in a file, or on standard input for `-`.

    A byte order mark at the start and the last line break are not part of the secret.

    Args:
        path: the file.
        what: what the secret is, for messages.

    Raises:
        CliError: the file is empty or cannot be read.

    """
    name = "standard input" if path == _STDIN else str(path)
    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_LONGEST + 1)
    except OSError as error:
        raise CliError(f"cannot read {what} from {name}: {system_reason(error)}") from None
    if len(data) > _LONGEST:
        raise CliError(f"{name} is too long to contain {what}: is it the right file?")
    try:
        secret = text_of_file(data)
    except NoTextError as error:
        raise CliError(
            f"{name} {error} (it should contain {what}; is it the right file?)"
        ) from None
    if not secret:
        raise CliError(f"{name} is empty: it should contain {what}")
    return secret


def must_ask_for_stream_key(path: Path | None) -> bool:
    """Return whether the stream key is neither in a file nor in the environment."""
    return path is None and not os.environ.get(STREAM_KEY_VARIABLE)


def read_stream_key(path: Path | None) -> str:
    """Return the stream key from a file, else from the environment, else from a prompt.

    Raises:
        CliError: there is none, or Ctrl-C was pressed.

    """
    if path is not None:
        return read_secret(path, "the stream key")
    if found := os.environ.get(STREAM_KEY_VARIABLE):
        return found
    if sys.stdin.isatty():
        try:
            return getpass.getpass("Stream key (not shown): ")
        except KeyboardInterrupt:
            # The cursor is still on the line of the prompt.
            console_on(sys.stderr).print()
        raise CliError("interrupted: nothing was created", ExitCode.INTERRUPTED)
    raise CliError(
        f"the stream key is missing: set {STREAM_KEY_VARIABLE}, or pass --stream-key-file PATH "
        "(- for standard input)"
    )
