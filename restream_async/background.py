"""What a service sheds whatever the load, told from what it sheds because of it. Pure arithmetic.

A 503 may come from a broken node behind a load balancer as well as from a full one, and a time-out
from a lost packet. The difference shows when less is sent: shedding under load goes away, the
other stays. So where more is shed than usual the limit is lowered, and if what is shed below it is
not what a full service would shed there, it is the background of this service, and no reason to go
lower still.
"""

import math
from typing import Final

# Until it is known better: so many shed, of so many.
_SHED_AT_FIRST: Final = 1.0
_ANSWERS_AT_FIRST: Final = 50.0
# What was seen counts half when as many answers as this have come.
_MEMORY: Final = 1000.0
# A service that sheds a larger share than this is treated gently whatever the reason.
_MOST: Final = 0.3
# Standard deviations of a count that are left to chance.
_CHANCE: Final = 2.5
# Shed answers that are needed to call a share larger than usual.
_LEAST: Final = 5
# Answers after which what was seen is believed, and forgotten.
_WINDOW: Final = 150
# Shed answers that a test waits for, if nothing has changed.
_EXPECTED: Final = 8.0


class Background:
    """The share of answers that are shed without any load, and how it is found out."""

    def __init__(self) -> None:
        """Begin with a guess."""
        self._shed = _SHED_AT_FIRST
        self._answers = _ANSWERS_AT_FIRST
        # At the limit as it stands.
        self._recent_shed = 0
        self._recent = 0
        # What was shed before the limit was lowered, and what says that lowering did not help.
        self._suspected: float | None = None
        self._stayed = 0.0

    @property
    def share(self) -> float:
        """The share of the answers that is shed whatever the load."""
        return min(_MOST, self._shed / self._answers)

    @property
    def testing(self) -> bool:
        """Whether the limit should stay as it is, so that the effect of lowering it is seen."""
        return self._suspected is not None

    def excess(self, shed: int, answers: int) -> float:
        """Return the share that was shed beyond the background; 0.0 if it may be chance."""
        expected = self.share * answers
        if shed <= expected + _CHANCE * math.sqrt(expected):
            return 0.0
        return (shed - expected) / answers

    def note(self, shed: int, answers: int) -> float:
        """Note a round in which no more was shed than may happen.

        Returns:
            what was shed in all of the latest rounds, as a share, if that is more than may happen;
            else 0.0.

        """
        self._recent_shed += shed
        self._recent += answers
        share = self._recent_shed / max(1, self._recent)
        if self._suspected is not None:
            self._test(share, self._suspected)
        elif self._recent_shed >= _LEAST and self.excess(self._recent_shed, self._recent):
            return share
        elif self._recent >= _WINDOW:
            self._believe(share)
        return 0.0

    def suspect(self, share: float, kept: float) -> None:
        """Begin to test whether less is shed now that the limit is lower.

        Args:
            share: of the answers that were shed before.
            kept: share of the limit that is left.

        """
        self.begin_anew()
        self._suspected = share
        # A full service goes on answering as many; half the way to that is the dividing line.
        full = max(0.0, 1.0 - (1.0 - share) / kept)
        self._stayed = (full + share) / 2

    def _test(self, share: float, suspected: float) -> None:
        if self._recent * suspected < _EXPECTED:
            return
        if share > self._stayed:
            self._shed, self._answers = float(self._recent_shed), float(self._recent)
            self.begin_anew()
        else:
            self._believe(share)

    def _believe(self, share: float) -> None:
        # Only downwards: else shedding under load, if there is ever so little more of it each time,
        # would become the background.
        if share <= self.share:
            self._shed += self._recent_shed
            self._answers += self._recent
            if self._answers > _MEMORY:
                self._shed, self._answers = self._shed / 2, self._answers / 2
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was not yet believed, and any test: the limit is another one altogether."""
        self._recent_shed = self._recent = 0
        self._suspected = None
