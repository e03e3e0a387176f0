"""What a contestant says about what it has done."""

from collections.abc import Callable
from typing import TypeAlias

import attrs

Id: TypeAlias = int | str | None


@attrs.frozen(kw_only=True)
class Report:
    """What it says of one creation.

    Attributes:
        index: which one, by its place in the input.
        id: of the restream, where it says that it was created; None if it did not say.
        error: the name of what it raised; empty where it says that it was created.
        unknown: whether it says that nobody knows if it was created.

    """

    index: int
    id: Id = None
    error: str = ""
    unknown: bool = False


@attrs.define
class Account:
    """What it says of all of them.

    Attributes:
        progress: is called after each report.
        reports: one for each creation, by its index.
        warned: the creations of which it says that there may be a further copy.

    """

    progress: Callable[[], object] = lambda: None
    reports: dict[int, Report] = attrs.field(factory=dict[int, Report])
    warned: set[int] = attrs.field(factory=set[int])

    def say(self, report: Report) -> None:
        """Add what it says of one creation.

        Raises:
            ValueError: it has said something of it before.

        """
        if report.index in self.reports:
            raise ValueError(f"a second report on creation {report.index}")
        self.reports[report.index] = report
        self.progress()
