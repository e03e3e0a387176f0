"""What came of the scenes, as bars: ours above what people use today."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from benchmarks import names
from benchmarks.drawing import bars
from benchmarks.drawing.bars import Bar, Panel
from benchmarks.drawing.page import FAINT, OURS, THEIRS, Heading
from benchmarks.overload.results import KNOWING, Result, read
from benchmarks.suite import Figures


@attrs.frozen(kw_only=True)
class _Question:
    """One panel.

    Attributes:
        title: the question.
        answer: for a contestant in a scene.
        form: how to write it.

    """

    title: str
    answer: Callable[[Result, str], float]
    form: str

    def panel(self, results: Sequence[Result]) -> Panel:
        return Panel(
            title=self.title,
            rows=[
                [self._bar(result, names.OURS), self._bar(result, names.TENACITY)]
                for result in results
            ],
            marks=[
                self.answer(result, KNOWING) if KNOWING in result.outcomes else None
                for result in results
            ],
        )

    def _bar(self, result: Result, name: str) -> Bar:
        value = self.answer(result, name)
        return Bar(value=value, text=f"{value:{self.form}}", ours=name == names.OURS)


_QUESTIONS: Final = (
    _Question(title="time / ideal", answer=Result.time_ratio, form=".2f"),
    _Question(
        title="posts each",
        answer=lambda result, name: result.outcomes[name].posts,
        form=".2f",
    ),
    _Question(
        title="failed, %",
        answer=lambda result, name: 100 * result.outcomes[name].failed / result.scene.count,
        form=".3g",
    ),
    _Question(title="latency / idle", answer=Result.latency_ratio, form=".1f"),
)


def draw(figures: Figures, folder: Path) -> None:
    """Draw the plot."""
    results = read(figures)
    bars.draw(
        folder / "overload.svg",
        Heading(
            title="A service that gets more than it can take",
            subtitle="4,000 creations, 256 in flight allowed; the service works on 16 at once, "
            "for 50 ms each",
            legend=[
                (names.OURS, OURS),
                (names.TENACITY, THEIRS),
                (f"|  the latter, {KNOWING}", FAINT),
            ],
        ),
        [result.scene.title for result in results],
        [question.panel(results) for question in _QUESTIONS],
        one_scale=False,
    )
