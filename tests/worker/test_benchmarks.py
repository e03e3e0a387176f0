"""The parts of the worker benchmarks that take little time."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import worker_checks, worker_fleet, worker_scaling

MAINS = {
    "worker_checks": worker_checks.main,
    "worker_fleet": worker_fleet.main,
    "worker_scaling": worker_scaling.main,
}


@pytest.mark.parametrize("name", MAINS)
def test_help_is_printed_and_nothing_is_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])

    with pytest.raises(SystemExit) as end:
        MAINS[name]()

    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks.{name}")


def test_efficiency_is_the_median_rate_divided_by_the_possible_rate() -> None:
    said = worker_scaling.text({1: [38.0], 4: [100.0, 144.0, 150.0]})

    assert said.splitlines() == [
        "1 workers:   38.0/s of 40/s, 95 %",
        "4 workers:  144.0/s of 160/s, 90 %",
    ]


def test_the_cost_of_checks_is_printed_as_medians_of_rates_and_requests() -> None:
    costs = [worker_checks.Cost(rate, requests) for rate, requests in ((9, 2), (40, 3), (41, 2))]

    said = worker_checks.text(worker_checks.Case(1, trust_stream=False), costs)

    assert said == " 1 for each video, checked          40.0 restreams/s, 2.00 requests for each"


def test_the_plot_is_drawn_from_the_figures_that_were_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    worker_scaling.write(tmp_path, {1: [38.04], 2: [77.0], 4: [100.0, 151.0, 151.0]})
    figures = json.loads((tmp_path / "workers.json").read_text())
    assert figures["rates"] == {"1": [38.0], "2": [77.0], "4": [100.0, 151.0, 151.0]}

    worker_scaling.redraw(tmp_path)

    drawn = (tmp_path / "workers.svg").read_text()
    assert len(drawn) < 100_000
    # Letters are drawn as outlines; each text stands beside them as a comment.
    for text in ("38 of 40: 95 %", "77 of 80: 96 %", "151 of 160: 94 %"):
        assert f"<!-- {text} -->" in drawn
