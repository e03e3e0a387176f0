"""Private: by how much refusals lower the limit. Pure arithmetic.

A wave is the refusals of requests that were sent before its first one came. A refusal takes one
slot away, so that the first wave of requests finds the capacity of a service that refuses what it
has no room for. The second refusal of each later wave takes a quarter, so that clients that share a
service get similar shares (AIMD, as in TCP).

The comments of constants say what other values did: see `adaptive_limit`.
"""

import math
from typing import Final

# What the second refusal of a wave takes. 0.2: a fleet is less fair (0.46 instead of 0.55). 0.35: a
# halved capacity costs 4 % more posts instead of 1.
_YIELD: Final = 0.25


class RefusalWave:
    """The latest wave of refusals.

    Attributes:
        refusals: how many it has.

    """

    def __init__(self) -> None:
        """Begin before the first wave."""
        self.refusals = 0
        self._began = -math.inf

    def add(self, started: float, now: float) -> None:
        """Note a refusal that came now, of a request that was sent at `started`."""
        if started > self._began:
            self._began, self.refusals = now, 0
        self.refusals += 1

    def limit_after(self, limit: float, *, may_yield: bool) -> float:
        """Return the limit after the latest refusal.

        Args:
            limit: before it.
            may_yield: whether the second refusal of the wave takes more than one slot.

        """
        # A second refusal is no single error: other clients may need a share of the service.
        yields = may_yield and self.refusals == 2  # noqa: PLR2004 - as it says
        return max(1.0, limit - max(1.0, _YIELD * limit if yields else 1.0))
