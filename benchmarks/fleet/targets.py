"""Targets of figures."""

import attrs


@attrs.frozen(kw_only=True)
class Target:
    """The least or the most that a figure should be.

    Attributes:
        at_least: the least, if there is one.
        at_most: the most, if there is one.

    """

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        """Return it as tables show it."""
        return f"≤ {self.at_most:g}" if self.at_least is None else f"≥ {self.at_least:g}"

    def met(self, figure: float | None) -> bool:
        """Return whether a figure meets the target; None never does."""
        if figure is None:
            return False
        value = round(figure, 4)
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )
