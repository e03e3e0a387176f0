"""Private: draws charts as SVG with Vega-Lite, by `vl_convert`, of the extra `report`.

Colours are CSS variables of the page, so one drawing serves light and dark. A chart holds no text
from outside: labels stand in the page, where they are escaped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import vl_convert

from restream_async.cli.html_report.histogram import Histogram
from restream_async.cli.html_report.timeline import Timeline

Spec: TypeAlias = dict[str, Any]

# Pixels. The page shows the narrow drawing on a phone.
_WIDE: Final = 540
_NARROW: Final = 300
_HEIGHT: Final = 230

_INK: Final = "var(--ink)"
_LINES: Final = "var(--lines)"
_CONFIG: Final[Spec] = {
    # The page describes each chart, and has its numbers as a table.
    "aria": False,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _LINES,
        "domainColor": _LINES,
        "tickColor": _LINES,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelOverlap": True,
        "labelSeparation": 6,
    },
}
_MINUTE: Final = 60
_HOUR: Final = 3600
_LONG_RUN: Final = 2
"""So many minutes or hours have an axis of their own."""


@attrs.frozen(kw_only=True)
class Drawing:
    """A chart as SVG, for wide and for narrow screens."""

    wide: str
    narrow: str


def rate_chart(timeline: Timeline) -> Drawing:
    """Draw how many items ended per second, the failed ones on top, over outages as bands."""
    rows = [
        {
            "start": each.start,
            "end": each.end,
            "base": base / each.seconds,
            "top": (base + count) / each.seconds,
            "kind": kind,
        }
        for each in timeline.intervals
        for kind, base, count in (("done", 0, each.done), ("failed", each.done, each.failed))
        if count
    ]
    per_second = _axis("base", "per second")
    if not rows:
        # Else 0 would stand at half the height.
        per_second["scale"] = {"domain": [0, 1]}
    bars = {
        "data": {"values": rows},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "start", "type": "quantitative"},
            "x2": {"field": "end"},
            "y": per_second,
            "y2": {"field": "top"},
            "color": _colours({"done": "var(--done)", "failed": "var(--failed)"}),
        },
    }
    return _over_time(timeline, [bars])


def load_chart(timeline: Timeline) -> Drawing:
    """Draw the requests in flight and the limit, over outages as bands."""
    intervals = timeline.intervals
    in_flight = {
        "data": {"values": [attrs.asdict(each) for each in intervals]},
        "mark": {"type": "rect", "color": "var(--done)"},
        "encoding": {
            "x": {"field": "start", "type": "quantitative"},
            "x2": {"field": "end"},
            "y": _axis("in_flight", "requests"),
            "y2": {"datum": 0},
        },
    }
    steps = [(each.start, each.limit) for each in intervals]
    steps.append((intervals[-1].end, intervals[-1].limit))
    limit = {
        "data": {"values": [{"start": start, "limit": limit} for start, limit in steps]},
        "mark": {
            "type": "line",
            "color": "var(--limit)",
            "strokeWidth": 2.5,
            "strokeDash": [6, 4],
            "interpolate": "step-after",
        },
        "encoding": {
            "x": {"field": "start", "type": "quantitative"},
            "y": _axis("limit", "requests"),
        },
    }
    return _over_time(timeline, [in_flight, limit])


def latency_chart(latencies: Histogram) -> Drawing:
    """Draw how many requests took how long."""
    bars = latencies.bars()
    spec = {
        "data": {"values": [attrs.asdict(bar) for bar in bars]},
        "mark": {"type": "rect", "color": "var(--done)", "stroke": "var(--card)"},
        "encoding": {
            "x": {
                "field": "start",
                "type": "quantitative",
                "scale": {"type": "log", "domain": [bars[0].start, bars[-1].end], "nice": False},
                "axis": {
                    "title": "time of a request",
                    "labelExpr": "datum.value < 1 ? format(datum.value * 1000, '~r') + ' ms'"
                    " : format(datum.value, '~r') + ' s'",
                    "values": [n * 10**e for e in range(-4, 4) for n in (1, 2, 5)],
                    "grid": False,
                },
            },
            "x2": {"field": "end"},
            "y": _axis("count", "requests"),
            "y2": {"datum": 0},
        },
    }
    return _drawn(spec)


def _over_time(timeline: Timeline, layers: Sequence[Spec]) -> Drawing:
    """Draw layers on one axis of time."""
    end = timeline.intervals[-1].end
    unit, name = _unit(end)
    time = {
        "type": "quantitative",
        "scale": {"domain": [0, end / unit], "nice": False},
        "axis": {
            "title": f"{name} since the start",
            "format": ",~r",
            "tickCount": 6,
            "grid": False,
        },
    }
    bands = {
        "data": {"values": [attrs.asdict(outage) for outage in timeline.outages]},
        "mark": {"type": "rect", "color": "var(--outage)"},
        "encoding": {"x": {"field": "start", **time}, "x2": {"field": "end"}},
    }
    in_units = [{"calculate": f"datum.{field} / {unit}", "as": field} for field in ("start", "end")]
    return _drawn({"layer": [{**layer, "transform": in_units} for layer in (bands, *layers)]})


def _unit(seconds: float) -> tuple[int, str]:
    if seconds >= _LONG_RUN * _HOUR:
        return _HOUR, "hours"
    return (_MINUTE, "minutes") if seconds >= _LONG_RUN * _MINUTE else (1, "seconds")


def _axis(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"title": title, "tickCount": 5, "format": ",~r"},
        "scale": {"domainMin": 0},
    }


def _colours(of: Mapping[str, str]) -> Spec:
    scale = {"domain": list(of), "range": list(of.values())}
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}


def _drawn(spec: Spec) -> Drawing:
    wide, narrow = (
        vl_convert.vegalite_to_svg(
            {
                "width": width,
                "height": _HEIGHT,
                "autosize": {"type": "fit", "contains": "padding"},
                "config": _CONFIG,
                **spec,
            }
        )
        for width in (_WIDE, _NARROW)
    )
    return Drawing(wide=wide, narrow=narrow)
