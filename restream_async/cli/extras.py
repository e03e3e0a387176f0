"""Private: a clear error where an extra of the package is not installed."""

import contextlib
from collections.abc import Collection, Generator

from restream_async.cli.errors import CliError
from restream_async.cli.hints import install


@contextlib.contextmanager
def importing(extra: str, packages: Collection[str]) -> Generator[None]:
    """Import modules of an extra in this block; slow, so only commands that need it do.

    Args:
        extra: the name of the extra.
        packages: the packages that it installs.

    Raises:
        CliError: one of them is not installed.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in packages:
            raise
        missing = error.name
    else:
        return
    raise CliError(f"this needs {missing}, which is not installed: {install('cli', extra)}")
