import re

import pytest

from restream_async.cli.html_report.charts import load_chart, rate_chart
from restream_async.cli.html_report.timeline import Interval, Timeline
from tests.helpers.report_samples import recorded


@pytest.mark.parametrize(
    ("every", "unit", "last"),
    [(0.1, "seconds", "10"), (1.95, "minutes", "3"), (360.0, "hours", "10")],
    ids=["seconds", "minutes", "hours"],
)
def test_the_axis_of_time_suits_the_run(every: float, unit: str, last: str) -> None:
    drawing = load_chart(recorded(100, every=every).timeline)
    for svg in (drawing.wide, drawing.narrow):
        labels = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
        assert f"{unit} since the start" in labels
        assert last in labels
        assert all(len(label) <= 3 for label in labels if label[0].isdigit())


def test_a_run_in_which_nothing_ended_has_an_axis_from_zero_upwards() -> None:
    timeline = Timeline()
    timeline.intervals = [Interval(0.0, 3.0, done=0, failed=0, in_flight=0.0, limit=64.0)]
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", rate_chart(timeline).wide)
    assert {"0.2", "per second"} <= set(labels)


def test_outages_are_bands_and_colours_come_from_the_page() -> None:
    svg = load_chart(recorded(100).timeline).wide
    assert svg.count("var(--outage)") == 1
    assert "var(--done)" in svg
    assert "var(--limit)" in svg
    assert not re.search(r'(fill|stroke)="(#|rgb|black)', svg)
