"""Private: `HoldsKey`, the base of classes that hold the API key."""

from typing import NoReturn


class HoldsKey:
    """Its objects can be neither pickled nor copied, so that the key stays in this process."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: always.

        """
        raise TypeError(
            f"a {type(self).__name__} can be neither pickled nor copied, as it holds the API key "
            "and connections: make one in each process"
        )
