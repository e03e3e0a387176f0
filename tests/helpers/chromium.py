"""A real Chromium, without a window and without a network."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.helpers.programs import find


@contextmanager
def chromium() -> Generator[Browser]:
    """Run Debian's Chromium."""
    program = find("chromium", "chromium")
    with sync_playwright() as playwright:
        # In a container, root has not the rights that Chromium's own sandbox needs.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def shown(browser: Browser, file: Path, *, width: int = 1_400) -> Generator[Page]:
    """Open a file; afterwards fail if it asked for anything else, or wrote to the console."""
    # The file itself, and an icon within it.
    allowed = {file.as_uri(), "data:,"}
    problems: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url))
    try:
        page.goto(file.as_uri())
        yield page
        unexpected = [each for each in problems if each not in allowed]
        assert not unexpected, unexpected
    finally:
        context.close()


def rows(page: Page, table: str) -> list[list[str]]:
    """Return the texts of a table's cells."""
    return [
        row.locator("th, td").all_inner_texts() for row in page.locator(f"{table} tbody tr").all()
    ]


CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = colour => channels(colour).slice(0, 3)
    .map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      const alpha = channels(colour)[3];
      if (alpha === undefined || alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const [one, two] = [luminance(colour), luminance(behind(element))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    found.push([element.textContent.trim(), contrast]);
  }
  return found;
}"""
"""Returns every text that is shown, with its contrast to what lies behind it."""

LABELS = """() => {
  const shown = element => element.getClientRects().length > 0;
  const box = element => element.getBoundingClientRect();
  const charts = [...document.querySelectorAll("svg")].filter(shown);
  const cut = [], touching = [];
  let smallest = Infinity, count = 0;
  for (const chart of charts) {
    const frame = box(chart);
    const labels = [...chart.querySelectorAll("text")].filter(l => l.textContent && shown(l)
      && getComputedStyle(l).opacity !== "0");
    labels.forEach((label, i) => {
      const own = box(label);
      count += 1;
      const scale = frame.width / chart.viewBox.baseVal.width;
      smallest = Math.min(smallest, parseFloat(getComputedStyle(label).fontSize) * scale);
      if (own.left < frame.left - 1 || own.right > frame.right + 1
          || own.top < frame.top - 1 || own.bottom > frame.bottom + 1) cut.push(label.textContent);
      for (const other of labels.slice(0, i)) {
        const its = box(other);
        if (own.left < its.right && its.left < own.right
            && own.top + 2 < its.bottom && its.top + 2 < own.bottom)
          touching.push([other.textContent, label.textContent]);
      }
    });
  }
  return {charts: charts.length, count, cut, touching, smallest};
}"""
"""Returns how many charts and labels are shown, which labels are cut off or touch each other, and
the size of the smallest one in pixels."""
