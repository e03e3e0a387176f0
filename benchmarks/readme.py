"""The tables of figures in README.md, each written between two marks."""

import re


def with_table(readme: str, name: str, table: str) -> str:
    """Return the README with another table between the marks of this name.

    Raises:
        ValueError: there are no such marks.

    """
    begin, end = f"<!-- {name}: written by python -m benchmarks -->", f"<!-- end of {name} -->"
    between = re.compile(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", re.DOTALL)
    if not between.search(readme):
        raise ValueError(f"the README has no marks for {name}")
    return between.sub(lambda _: f"\n{table}\n\n", readme, count=1)
