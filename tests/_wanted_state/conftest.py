from tests.helpers.client_fixtures import (
    _cheap_collection,  # pyright: ignore[reportPrivateUsage] - autouse
    _nothing_left,  # pyright: ignore[reportPrivateUsage] - autouse
    clock,
)
from tests.helpers.journal_fixtures import (
    _nothing_is_left,  # pyright: ignore[reportPrivateUsage] - autouse
    disk,
    folder,
    path,
)

__all__ = [
    "_cheap_collection",
    "_nothing_is_left",
    "_nothing_left",
    "clock",
    "disk",
    "folder",
    "path",
]
