"""What a contestant reports about its run."""

from collections.abc import Callable
from typing import TypeAlias

import attrs

Id: TypeAlias = int | str | None


@attrs.frozen(kw_only=True)
class CreationReport:
    """What it reports about one creation.

    Attributes:
        index: the position of the creation in the input.
        id: of the restream, if it was reported as created; None if no id was reported.
        error: the name of the error; empty if it was reported as created.
        unknown: whether the outcome was reported as unknown.

    """

    index: int
    id: Id = None
    error: str = ""
    unknown: bool = False


@attrs.define
class RunReport:
    """What it reports about all creations of a run.

    Attributes:
        progress: is called after each report.
        reports: one for each creation, by its index.
        maybe_twice: the creations for which it reports that a further copy may exist.

    """

    progress: Callable[[], object] = lambda: None
    reports: dict[int, CreationReport] = attrs.field(factory=dict[int, CreationReport])
    maybe_twice: set[int] = attrs.field(factory=set[int])

    def add(self, report: CreationReport) -> None:
        """Add the report about one creation.

        Raises:
            ValueError: there is a report about it already.

        """
        if report.index in self.reports:
            raise ValueError(f"a second report on creation {report.index}")
        self.reports[report.index] = report
        self.progress()
