"""What came of the trials: as tables, as plots, as figures to draw them from again."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any, Final, TypeAlias, cast

import attrs

from benchmarks.chaos.score import Score
from benchmarks.chaos.trials import ALL, Trial
from benchmarks.contestants import OURS
from benchmarks.drawing import bars
from benchmarks.drawing.bars import Bar, Panel
from benchmarks.drawing.page import Heading
from benchmarks.tables import table
from benchmarks.terms import TERMS
from restream_async.sandbox import Fault, Faults

Scores: TypeAlias = Mapping[str, Sequence[Score]]
"""Of one trial: by contestant, one for each seed."""

_FILE: Final = "chaos.json"
_HEADS: Final = (
    "",
    "once",
    "lost",
    "twice",
    "twice, unsaid",
    "reported wrongly",
    "posts each",
    "seconds",
)
LEGEND: Final = """\
Once, lost, twice: stored once, not at all, more than once. Twice, unsaid: and the client does not
say so. Reported wrongly: as created, but not stored; as failed, but stored; or with an id that does
not exist. Posts each: requests to create, per creation. Seconds: of one run, the median."""


def text(trial: Trial, scores: Scores) -> str:
    """Return the table of a trial, under its heading."""
    rows: list[list[str]] = []
    for contestant in trial.contestants:
        total = Score.total(scores[contestant.name])
        numbers = (total.once, total.lost, total.twice, total.twice_unsaid, total.wrong)
        rows.append(
            [
                contestant.name,
                *(f"{number:,}" for number in numbers),
                f"{total.posts_per_creation:.3f}",
                f"{median(total.seconds):.1f}",
            ]
        )
    ours = scores[OURS.name]
    heading = f"{len(ours)} x {ours[0].creations:,} creations {trial.title}. {trial.conditions}."
    return f"{heading}\n\n{table(_HEADS, rows)}"


def write(folder: Path, results: Mapping[str, Scores]) -> None:
    """Write the figures of all trials, and plots of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(json.dumps(_figures(results), indent=1) + "\n", "utf-8")
    redraw(folder)


def redraw(folder: Path) -> None:
    """Draw the plots from the figures that are there."""
    trials = json.loads((folder / _FILE).read_text("utf-8"))["trials"]
    for trial in ALL:
        scores = trials[trial.name]["scores"]
        totals = [
            Score.total([Score.read(item) for item in scores[contestant.name]])
            for contestant in trial.contestants
        ]
        _draw(folder / f"{trial.name}.svg", trial, trials[trial.name]["weather"], totals)


def _draw(path: Path, trial: Trial, weather: str, totals: Sequence[Score]) -> None:
    def panel(title: str, text: Callable[[Score], str], value: Callable[[Score], int]) -> Panel:
        return Panel(
            title=title,
            rows=[
                [
                    Bar(
                        value=value(total),
                        text=text(total),
                        ours=contestant.packages == OURS.packages,
                    )
                ]
                for contestant, total in zip(trial.contestants, totals, strict=True)
            ],
        )

    bars.draw(
        path,
        Heading(title=f"{totals[0].creations:,} creations {trial.title}", subtitle=weather),
        [contestant.name for contestant in trial.contestants],
        [
            panel("stored twice", _twice_text, lambda total: total.twice),
            panel("lost", lambda total: f"{total.lost:,}", lambda total: total.lost),
            panel("reported wrongly", lambda total: f"{total.wrong:,}", lambda total: total.wrong),
        ],
    )


def _twice_text(total: Score) -> str:
    said = ", all reported" if total.twice and not total.twice_unsaid else ""
    return f"{total.twice:,}{said}"


def _figures(results: Mapping[str, Scores]) -> Mapping[str, object]:
    packages = {
        package
        for trial in ALL
        for contestant in trial.contestants
        for package in contestant.packages
    }
    return {
        "python": python_version(),
        "packages": {package: version(package) for package in sorted(packages)},
        "in_flight": TERMS.in_flight,
        "timeout_seconds": TERMS.timeout,
        "trials": {
            trial.name: {
                "weather": trial.conditions,
                "faults": _plain(trial.faults),
                "scores": {
                    name: [attrs.asdict(score) for score in scores]
                    for name, scores in results[trial.name].items()
                },
            }
            for trial in ALL
        },
    }


def _plain(faults: Faults) -> Mapping[str, Any]:
    def named(value: object) -> object:
        if isinstance(value, dict):
            shares = cast("dict[Fault, float]", value)
            return {kind.value: share for kind, share in shares.items()}
        return value

    return {name: named(value) for name, value in attrs.asdict(faults, recurse=False).items()}
