"""Where the command line takes secrets from: files, the environment, a hidden prompt.

Never from an argument, which every process of the machine could read.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from restream_async._util.text_files import NoTextError, text_of_file
from restream_async.cli.errors import CliError, ExitCode, why
from restream_async.cli.output.console import console_on

STREAM_KEY_VARIABLE: Final = "RESTREAM_STREAM_KEY"

# No key is longer; what is, is another file.
_LONGEST: Final = 64 * 1024
_STDIN: Final = Path("-")


def secret_in(path: Path, what: str) -> str:
    """Return the secret in a file, or on standard input for `-`.

    A byte order mark at its start and its last line break belong to the file, not to the secret.

    Raises:
        CliError: there is none, or it cannot be read.

    """
    name = "standard input" if path == _STDIN else str(path)
    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_LONGEST + 1)
    except OSError as error:
        raise CliError(f"cannot read {what} from {name}: {why(error)}") from None
    if len(data) > _LONGEST:
        raise CliError(f"{name} is too long to hold {what}: is it the right file?")
    try:
        secret = text_of_file(data)
    except NoTextError as error:
        raise CliError(f"{name} should hold {what}, but {error}: is it the right file?") from None
    if not secret:
        raise CliError(f"{name} is empty: it should hold {what}")
    return secret


def is_asked_for(path: Path | None) -> bool:
    """Say whether the stream key is in no file and not in the environment."""
    return path is None and not os.environ.get(STREAM_KEY_VARIABLE)


def stream_key(path: Path | None) -> str:
    """Return the stream key: from a file, else the environment, else asked for on a terminal.

    Raises:
        CliError: there is none, or Ctrl-C was the answer.

    """
    if path is not None:
        return secret_in(path, "the stream key")
    if found := os.environ.get(STREAM_KEY_VARIABLE):
        return found
    if sys.stdin.isatty():
        try:
            return getpass.getpass("Stream key (not shown): ")
        except KeyboardInterrupt:
            # The cursor stands behind the question.
            console_on(sys.stderr).print()
        raise CliError("interrupted: nothing was created", ExitCode.INTERRUPTED)
    raise CliError(
        f"the stream key is missing: set {STREAM_KEY_VARIABLE}, or pass --stream-key-file PATH "
        "(- for standard input)"
    )
