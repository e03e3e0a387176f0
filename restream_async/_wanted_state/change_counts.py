"""Private: the changes of a plan or an apply, in numbers."""

from typing import Self

import attrs

from restream_async.changes import Change


@attrs.frozen(kw_only=True)
class ChangeCounts:
    """How many changes there are of each action, and how many were not made.

    Attributes:
        create: changes with `Action.CREATE`.
        enable: changes with `Action.ENABLE`.
        disable: changes with `Action.DISABLE`.
        rotate: changes with `Action.ROTATE`.
        delete: changes with `Action.DELETE`.
        keep: changes with `Action.KEEP`.
        failed: changes with an error.
        needs_rotate: changes that need `rotate=True`.
        needs_prune: changes that need `prune=True`.

    """

    create: int = 0
    enable: int = 0
    disable: int = 0
    rotate: int = 0
    delete: int = 0
    keep: int = 0
    failed: int = 0
    needs_rotate: int = 0
    needs_prune: int = 0

    def plus(self, change: Change) -> Self:
        """Return the numbers with one more change."""
        names = [change.action.value]
        if change.error is not None:
            names.append("failed")
        if change.needs:
            names.append(f"needs_{change.needs}")
        return attrs.evolve(self, **{name: getattr(self, name) + 1 for name in names})
