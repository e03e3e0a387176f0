import tracemalloc

import pytest

from restream_async.cli.input.line_numbers import LineNumbers
from restream_async.cli.output.run_result import Span


@pytest.mark.parametrize(
    "lines", [[], [1], [2, 3, 4], [2, 5, 6, 7, 20], [2, 4, 6, 8, 9, 10, 30, 31]]
)
def test_the_line_of_every_item_is_known(lines: list[int]) -> None:
    known = LineNumbers(lines)
    assert len(known) == len(lines)
    assert [known[index] for index in range(len(lines))] == lines


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([(0, 0)], "line 2"),
        ([(0, 1)], "lines 2 to 3"),
        ([(0, 0), (2, 2)], "lines 2 and 4"),
        ([(1, 1), (5, 7), (13, 1999)], "lines 3, 7 to 9 and 15 to 2,001"),
        ([(n, n) for n in range(0, 12, 2)], "between line 2 and line 12"),
    ],
)
def test_lines_are_told_in_plain_words(spans: list[Span], words: str) -> None:
    assert LineNumbers(range(2, 2002)).describe(spans) == words


def test_very_many_blocks_need_little_memory() -> None:
    lines = LineNumbers(range(2, 20_002))
    tracemalloc.start()
    try:
        words = lines.describe(((n, n) for n in range(0, 20_000, 2)), most=30, what="item")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert words == "between item 2 and item 20,000"
    assert peak < 20_000


@pytest.mark.parametrize("lines", [[], [1], [2, 3, 4], [2, 5, 6, 20]])
def test_several_items_may_share_each_line(lines: list[int]) -> None:
    each = [line for line in lines for _ in range(3)]
    known = LineNumbers(each, per_line=3)
    assert len(known) == len(each)
    assert [known[index] for index in range(len(each))] == each


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([(0, 0)], "line 2"),
        ([(0, 2)], "line 2"),
        ([(0, 0), (2, 2)], "line 2"),
        ([(1, 1), (5, 5)], "lines 2 and 3"),
        ([(1, 1), (3, 3), (5, 8)], "lines 2 and 3 to 4"),
        ([(n, n) for n in range(0, 36, 2)], "between line 2 and line 13"),
    ],
)
def test_a_line_that_items_share_is_told_once(spans: list[Span], words: str) -> None:
    lines = (line for line in range(2, 20) for _ in range(3))
    assert LineNumbers(lines, per_line=3).describe(spans) == words
