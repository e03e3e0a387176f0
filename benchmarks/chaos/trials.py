"""The trials: which contestants meet which faults."""

from typing import Final

import attrs

from benchmarks.contestants import OTHERS, OURS, OURS_WITH_REPAIR, Contestant
from restream_async.sandbox import Fault, Faults


@attrs.frozen(kw_only=True)
class Trial:
    """Contestants that meet the same faults.

    Attributes:
        name: the name of its files.
        title: the circumstances, for tables and plots.
        faults: what goes wrong.
        contestants: the clients that take part.

    """

    name: str
    title: str
    faults: Faults
    contestants: tuple[Contestant, ...]

    @property
    def conditions(self) -> str:
        """What goes wrong, in words."""
        faults = self.faults
        late = (
            f", {_percent(faults.late)} are stored {faults.late_by:g} s after a 503"
            if faults.late
            else ""
        )
        return (
            f"Of the POSTs {_percent(sum(faults.before.values()))} fail before the effect, "
            f"{_percent(sum(faults.after.values()))} after it{late}; "
            f"{_percent(sum(faults.listing.values()))} of the checks fail"
        )


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"


_EACH: Final = tuple(kind for kind in Fault if kind is not Fault.HANG)
# A hang costs a whole time-out, so there are few.
_HANGS: Final = {Fault.HANG: 0.0025}
_FAULTS: Final = Faults(
    before=dict.fromkeys(_EACH, 0.05 / len(_EACH)) | _HANGS,
    after=dict.fromkeys(_EACH, 0.08 / len(_EACH)) | _HANGS,
    listing=dict.fromkeys(_EACH, 0.10 / len(_EACH)) | _HANGS,
    # The cache's constant of 5 s would only make all contestants wait.
    retry_after=None,
    # The third attempt always succeeds, and every contestant makes three. So the result depends
    # only on how a contestant handles a response.
    max_faults=2,
)
# As long as the longest wait before the first resend, so that it comes after the check.
_LATE_FAULTS: Final = attrs.evolve(_FAULTS, late=0.03, late_by=0.2)

MAIN: Final = Trial(
    name="chaos", title="while answers get lost", faults=_FAULTS, contestants=(OURS, *OTHERS)
)
LATE: Final = Trial(
    name="chaos-late",
    title="while answers get lost and commits come late",
    faults=_LATE_FAULTS,
    contestants=(OURS, OURS_WITH_REPAIR, *OTHERS),
)

ALL: Final = (MAIN, LATE)
