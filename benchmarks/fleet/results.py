"""What the fleet did, as tables."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.fleet.scenes import ALL, SUITE_SCENES, Scene
from benchmarks.suite import Figures
from benchmarks.tables import table

_SCENES: Final = {scene.name: scene for scene in ALL}


def _plain(form: str) -> Callable[[Any], str]:
    return lambda value: format(value, form)


def _shares(value: list[float]) -> str:
    return " / ".join(f"{share:.2f}" for share in value)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


_ROWS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "goodput": ("goodput, times the capacity", _plain(".3f")),
    "requests": ("requests for each creation, existence checks included", _plain(".3f")),
    "fairness": ("fairness, Jain's index (1: all get the same)", _plain(".3f")),
    "shares": ("a client gets, times its fair share: 5 % / median / 95 %", _shares),
    "latency": ("latency of a creation, times idle, the median", _plain(".2f")),
    "latency_late": ("the same in the last 20 s", _plain(".2f")),
    "peak_before": (
        "most requests in any 0.1 s, from 1 s after the last start, times the capacity",
        _plain(".2f"),
    ),
    "asked_while_gone": ("requests a second while the service is gone", _plain(",.0f")),
    "peak_return": (
        "most requests in any 0.1 s of the first second after, times the capacity",
        _plain(".2f"),
    ),
    "peak_after": ("most requests in any 0.1 s later on, times the capacity", _plain(".2f")),
    "recovery_seconds": ("seconds until 90% of the capacity is used again", _seconds),
    "fairness_after": ("fairness after it, Jain's index", _plain(".3f")),
}


def text(figures: Figures) -> str:
    """Return a table of each scene."""
    return "\n\n".join(
        scene_text(_SCENES[name], found) for name, found in figures["scenes"].items()
    )


def scene_text(scene: Scene, found: Figures) -> str:
    """Return the table of one scene under its heading."""
    outage = found["gone"]
    end = "." if outage is None else f", gone from {outage[0]:.0f} s to {outage[1]:.0f} s."
    heading = (
        f"{found['clients']:,} clients on paper, {scene.title}; one service for "
        f"{found['capacity']:,.0f} a second{end}"
    )
    rows = [
        [label, str(scene.targets.get(name, "")), _judged(scene, name, found)]
        for name, (label, _) in _ROWS.items()
        if name in found
    ]
    return f"{heading}\n\n{table((scene.name, 'target', 'measured'), rows)}"


def summary(figures: Figures) -> str:
    """Return one table of the scenes of the suite."""
    scenes = {scene: figures["scenes"].get(scene.name, {}) for scene in SUITE_SCENES}
    heads = ["", *(f"{scene.clients:,} clients, {scene.title}" for scene in scenes)]
    rows = [
        [label, *(_with_target(scene, name, found) for scene, found in scenes.items())]
        for name, (label, _) in _ROWS.items()
    ]
    return table(heads, rows)


def _with_target(scene: Scene, name: str, found: Figures) -> str:
    target = scene.targets.get(name)
    judged = _judged(scene, name, found)
    return f"{judged} ({target})" if target and judged else judged


def _judged(scene: Scene, name: str, found: Figures) -> str:
    if name not in found:
        return ""
    target, value = scene.targets.get(name), found[name]
    shown = _ROWS[name][1](value)
    return shown if target is None or target.met(value) else f"**{shown}** (missed)"
