"""The report as it looks in a browser."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser

from restream_async.cli.html_report.contents import Contents
from restream_async.cli.html_report.page import page
from restream_async.cli.html_report.recording import Recording
from tests.helpers.chromium import CONTRASTS, LABELS, chromium, rows, shown
from tests.helpers.report_samples import HOSTILE, contents, recorded

SCHEMES: Final[list[Literal["light", "dark"]]] = ["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "run.html"
    file.write_text(page(contents(1_000), recorded(1_000)), encoding="utf-8")
    return file


def test_its_numbers_can_be_read(browser: Browser, file: Path) -> None:
    with shown(browser, file) as page:
        assert page.locator("h1").inner_text() == f"Bulk run of {HOSTILE}.csv"
        assert page.locator("#result").inner_text() == (
            "✗ 800 restreams created, 100 existed already, 100 failed, in 1:40 min"
        )
        numbers = page.locator(".numbers div").all_inner_texts()
        assert [each.split("\n") for each in numbers] == [
            ["asked for", "1,000"],
            ["created", "800"],
            ["existed before", "100"],
            ["failed", "100"],
        ]
        assert ["found to exist after a lost answer", "100"] in rows(page, "#remarks")
        [[reason, number]] = rows(page, "#failures")
        assert number == "100"
        assert reason.startswith("400 Bad Request (<script>alert(1)</script>")
        assert "BadRequestError: between line 2 and line 992" in reason
        assert f"(video {HOSTILE})" in page.locator("#messages").inner_text()
        causes = rows(page, "#causes")
        assert [numbers for _, *numbers in causes] == [["1,234", "1,200"], ["7", "0"], ["2", "2"]]
        page.locator("summary", has_text="Both charts").click()
        done = [row[2] for row in rows(page, "#intervals")]
        assert sum(int(each.replace(",", "")) for each in done) == 900 * 9
        page.locator("summary", has_text="Outages").click()
        assert rows(page, "#outages") == [["50 s", "60.1 s", "10 s"]]
        page.locator("summary", has_text="The chart").click()
        assert sum(int(row[2].replace(",", "")) for row in rows(page, "#latencies")) == 10_000
        assert "Half of 10,000 requests took at most 149 ms" in page.locator("main").inner_text()


@pytest.mark.parametrize("width", [320, 400, 1_400])
def test_it_is_readable_on_a_phone_and_on_a_desk_light_and_dark(
    browser: Browser, file: Path, width: int
) -> None:
    with shown(browser, file, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 50
            assert [text for text, contrast in contrasts if contrast < 4.5] == []
        labels = page.evaluate(LABELS)
        assert labels["charts"] == 3
        assert labels["count"] > 30
        assert labels["cut"] == labels["touching"] == []
        assert labels["smallest"] >= 10


def test_it_can_be_used_with_a_keyboard_and_a_screen_reader(browser: Browser, file: Path) -> None:
    with shown(browser, file) as page:
        assert page.locator("html").get_attribute("lang") == "en"
        headings = ["Outcomes", "Problems", "Over time", "Requests"]
        assert page.get_by_role("heading", level=2).all_inner_texts() == headings
        for name in headings:
            assert page.get_by_role("region", name=name, exact=True).count() == 1
        assert page.get_by_role("main").count() == 1
        charts = page.locator("[role=img]:visible").all()
        names = {chart.get_attribute("aria-label") for chart in charts}
        assert names == {
            f"{title}: a chart, whose numbers are in the table below"
            for title in (
                "Restreams per second",
                "Requests in flight and their limit",
                "Time of a request",
            )
        }
        for table in page.locator("table").all():
            assert table.locator("caption").count() == 1
            assert table.locator("thead th[scope=col]").count() >= 2
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.ariaLabel") == "Both charts as a table"


def test_nothing_in_it_can_reach_the_network_or_run(browser: Browser, file: Path) -> None:
    forbidden = pytest.raises(AssertionError, match="Content Security Policy")
    with forbidden, shown(browser, file) as page:
        assert page.locator("script").count() == 0
        assert page.locator("img").count() == 0
        blocked = page.evaluate(
            """new Promise(resolve => {
                 const found = [];
                 document.addEventListener("securitypolicyviolation", violation => {
                   found.push(violation.effectiveDirective);
                   if (found.length == 3) resolve(found.sort());
                 });
                 const add = (name, fields) =>
                   document.body.append(Object.assign(document.createElement(name), fields));
                 add("img", {src: "https://example.com/a.png"});
                 add("script", {textContent: "alert(3)"});
                 add("iframe", {src: "https://example.com/"});
               })"""
        )
        assert blocked == ["frame-src", "img-src", "script-src-elem"]


def test_a_hundred_thousand_items_make_a_small_file_soon() -> None:
    begun = time.monotonic()
    text = page(contents(100_000), recorded(10_000))
    assert time.monotonic() - begun < 10
    assert len(text.encode()) < 500_000


def test_a_run_that_sent_nothing_has_a_report_too(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    nothing = Contents(
        title="Apply of wanted.csv",
        headline="✓ There was nothing to do",
        succeeded=True,
        seconds=0.0,
        items="Changes",
        numbers=[],
    )
    file.write_text(page(nothing, Recording()), encoding="utf-8")
    with shown(browser, file, width=400) as shown_page:
        assert shown_page.get_by_role("heading").all_inner_texts() == [
            "Apply of wanted.csv",
            "Outcomes",
        ]
