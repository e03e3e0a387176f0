import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.cost import results as cost
from benchmarks.fleet import results as fleet
from benchmarks.healthy import results as healthy
from benchmarks.overload import results as overload
from benchmarks.readme import with_table
from benchmarks.size import results as size
from benchmarks.targets import at_least, at_most

ROOT = Path(__file__).parents[2]
SUITES = {"cost": cost, "overload": overload, "size": size, "fleet": fleet, "healthy": healthy}


@pytest.mark.parametrize(("name", "results"), SUITES.items(), ids=SUITES)
def test_the_readme_has_the_figures_that_were_measured(name: str, results: ModuleType) -> None:
    figures = json.loads((ROOT / "benchmarks" / "plots" / f"{name}.json").read_text("utf-8"))
    readme = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert with_table(readme, name, results.summary(figures)) == readme, (
        f"python -m benchmarks --redraw --suite {name}"
    )


def test_only_the_text_between_the_marks_is_replaced() -> None:
    one = "<!-- size: written by python -m benchmarks -->\n\nold\n\n<!-- end of size -->\n"
    other = one.replace("size", "cost")

    found = with_table(f"before\n{other}{one}after\n", "size", r"new \1")

    new = one.replace("old", r"new \1")
    assert found == f"before\n{other}{new}after\n"


def test_a_table_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no marks for size"):
        with_table("<!-- cost: written by python -m benchmarks -->", "size", "new")


def test_a_missed_target_is_shown_beside_its_figure() -> None:
    assert at_most(1.05, 1.05, ".3f") == "1.050"
    assert at_most(1.05, 1.051, ".3f") == "**1.051** (missed)"
    assert at_least(0.95, 0.95, ".0%") == "95%"
    assert at_least(0.95, 0.9, ".0%") == "**90%** (missed)"


def test_costs_are_ratios_to_the_bare_loop_and_the_cheapest_comes_first() -> None:
    assert cost.ratios({"restream-async": 90, "bare aiohttp": 100, "x": 50}) == {
        "x": 0.5,
        "restream-async": 0.9,
        "bare aiohttp": 1.0,
    }


def test_only_this_library_is_compared_with_the_cost_target() -> None:
    instructions = {"restream-async": [90, 110, 120], "bare aiohttp": [100], "gcore": [900]}
    lines = cost.summary({"instructions": instructions}).splitlines()
    assert [line.split("|")[1].strip() for line in lines if "missed" in line] == ["restream-async"]


def test_a_long_run_is_compared_with_short_ones() -> None:
    def runs(count: int, microseconds: float, megabytes: float) -> list[dict[str, float]]:
        return [{"seconds": count * microseconds / 1e6, "peak": megabytes * 1e6}]

    figures = {
        "runs": {
            "3000": runs(3_000, 400, 40),
            "10000": runs(10_000, 300, 44),
            "1000000": [*runs(1_000_000, 330, 47), *runs(1_000_000, 320, 48)],
        }
    }

    *_, last = size.summary(figures).splitlines()

    assert [cell.strip() for cell in last.split("|")[1:-1]] == [
        "1,000,000", "47.5", "+7.5", "325", "**1.083** (missed)",
    ]  # fmt: skip


def test_with_failures_only_completed_items_are_measured() -> None:
    def outcome(seconds: float, failed: int) -> dict[str, object]:
        return {"seconds": seconds, "posts": 1.0, "failed": failed, "twice": 0, "latency": 0.1,
                "done": [1]}  # fmt: skip

    figures = {
        "unloaded_seconds": [0.05],
        "scenes": {
            "queues": {
                "outcomes": {
                    "restream-async": [outcome(12.5, 2000)],
                    "aiohttp + tenacity": [outcome(25.0, 0)],
                }
            }
        },
    }

    (result,) = overload.read(figures)
    *_, last = overload.summary(figures).splitlines()

    assert result.time_ratio("restream-async") == result.time_ratio("aiohttp + tenacity") == 2.0
    assert result.latency_ratio("restream-async") == 2.0
    assert [cell.strip() for cell in last.split("|")[1:-1]] == [
        "it queues", "2.000", "", "1.000", "1.02", "**2,000** (missed)", "**50.0%** (missed)",
        "2.0", "",
    ]  # fmt: skip
