from tests.helpers.client_fixtures import (
    _cheap_collection,  # pyright: ignore[reportPrivateUsage] - autouse
    _nothing_left,  # pyright: ignore[reportPrivateUsage] - autouse
    clock,
    full_port,
)

__all__ = ["_cheap_collection", "_nothing_left", "clock", "full_port"]
