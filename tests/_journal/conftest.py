from tests.helpers.journal_fixtures import (
    _nothing_is_left,  # pyright: ignore[reportPrivateUsage] - autouse
    disk,
    folder,
    path,
)

__all__ = ["_nothing_is_left", "disk", "folder", "path"]
