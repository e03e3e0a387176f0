"""What is said of values that cannot be read."""

from collections.abc import Callable
from typing import Any, Final

from restream_async._http.json_values import UnreadableError

READABLE: Final = "nothing is wrong"


def problem_of(read: Callable[[Any], object], value: object) -> str:
    """Return what is said of a value that cannot be read, or that it can."""
    try:
        read(value)
    except UnreadableError as error:
        unreadable = error
    else:
        return READABLE
    assert (unreadable.__cause__, unreadable.__context__) == (None, None)
    return str(unreadable)
