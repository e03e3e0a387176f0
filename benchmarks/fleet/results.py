"""What the fleet did, as tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from benchmarks.fleet.scenes import ALL, OF_SUITE, WELL, Scene
from benchmarks.suite import Figures
from benchmarks.tables import table

_SCENES: Final = {scene.name: scene for scene in ALL}
_NEVER: Final = "never"


def _as(form: str) -> Callable[[Any], str]:
    return lambda value: _NEVER if value is None else format(value, form)


def _shares(shares: Sequence[float]) -> str:
    return " / ".join(f"{share:.2f}" for share in shares)


_ROWS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "goodput": ("goodput, times the capacity", _as(".3f")),
    "requests": ("requests for each creation, existence checks included", _as(".3f")),
    "requests_late": ("requests for each creation in the last 20 s", _as(".3f")),
    "fairness": ("fairness, Jain's index (1: all get the same)", _as(".3f")),
    "shares": ("a client gets, times its fair share: 5 % / median / 95 %", _shares),
    "latency": ("latency of a creation, times idle, the median", _as(".2f")),
    "latency_late": ("latency in the last 20 s, times idle", _as(".2f")),
    "peak_before": (
        "most requests in any 0.1 s, from 1 s after the last start, times the capacity",
        _as(".2f"),
    ),
    "post_peak_before": ("the same, of requests to create alone", _as(".2f")),
    "asked_while_gone": ("requests a second while the service is gone", _as(",.0f")),
    "peak_return": (
        "most requests in any 0.1 s of the first second after, times the capacity",
        _as(".2f"),
    ),
    "peak_after": ("most requests in any 0.1 s later on, times the capacity", _as(".2f")),
    "post_peak_after": ("the same, of requests to create alone", _as(".2f")),
    "recovery_seconds": (f"seconds until {WELL:.0%} of the capacity is used again", _as(".1f")),
    "fairness_after": ("fairness after it, Jain's index", _as(".3f")),
}


def text(figures: Figures) -> str:
    """Return a table of each scene."""
    return "\n\n".join(scene_text(_SCENES[name], runs) for name, runs in figures["scenes"].items())


def scene_text(scene: Scene, runs: Sequence[Figures]) -> str:
    """Return the table of one scene under its heading."""
    usual = typical(runs)
    outage = usual["gone"]
    gone = "" if outage is None else f", gone from {outage[0]:.0f} s to {outage[1]:.0f} s"
    heading = (
        f"{usual['clients']:,} clients on paper, {scene.title}; one service for "
        f"{usual['capacity']:,.0f} a second{gone}."
    )
    single = runs if len(runs) > 1 else ()
    heads = [scene.name, "target", *(f"seed {run['seed']}" for run in single)]
    rows = [
        [
            label,
            str(scene.targets.get(name, "")),
            *(shown(run[name]) for run in single),
            _judged(scene, name, usual),
        ]
        for name, (label, shown) in _ROWS.items()
        if name in usual
    ]
    return f"{heading}\n\n{table([*heads, 'median' if single else 'measured'], rows)}"


def summary(figures: Figures) -> str:
    """Return one table of the scenes of the suite, each figure the median of its runs."""
    scenes = [(scene, typical(figures["scenes"][scene.name])) for scene in OF_SUITE]
    heads = ["", *(f"{usual['clients']:,} clients, {scene.title}" for scene, usual in scenes)]
    rows = [
        [label, *(_beside_target(scene, name, usual) for scene, usual in scenes)]
        for name, (label, _) in _ROWS.items()
    ]
    return table(heads, rows)


def typical(runs: Sequence[Figures]) -> Figures:
    """Return the median of each number; by the half second, what the first run did."""
    first = runs[0]
    return {
        **first,
        **{name: _median([run[name] for run in runs]) for name in _ROWS if name in first},
    }


def _median(values: Sequence[Any]) -> Any:  # noqa: ANN401 - of numbers, or of rows of numbers
    if isinstance(values[0], list):
        return [median(column) for column in zip(*values, strict=True)]
    middle = median(math.inf if value is None else value for value in values)
    return None if middle == math.inf else middle


def _beside_target(scene: Scene, name: str, usual: Figures) -> str:
    judged = _judged(scene, name, usual)
    return f"{judged} ({scene.targets[name]})" if name in scene.targets else judged


def _judged(scene: Scene, name: str, usual: Figures) -> str:
    if name not in usual:
        return ""
    target, value = scene.targets.get(name), usual[name]
    shown = _ROWS[name][1](value)
    return shown if target is None or target.met(value) else f"**{shown}** (missed)"
