import io

import attrs
import pytest

from restream_async._bulk.report import BulkCounts
from restream_async.cli.output.console import console_on
from restream_async.cli.output.outcome_totals import Totals
from restream_async.cli.output.progress_rendering import line, picture
from restream_async.cli.output.progress_state import Snapshot
from restream_async.stats import Stats

STATS = Stats(
    in_flight=63, limit=64, waiting=0, attempts=800, retries=88, budget_left=57, state="closed"
)


def totals(created: int, failed: int = 0, **others: int) -> Totals:
    failures = {"ApiError": failed} if failed else {}
    return Totals.of(BulkCounts(posted=created, failed={**failures, **others}))


MIDWAY = Snapshot(
    total=1000,
    totals=totals(640, 2),
    stats=STATS,
    elapsed=3.1,
    rate=212.4,
    time_left=1.69,
    over=False,
)


START = attrs.evolve(
    MIDWAY, totals=totals(0), rate=None, time_left=None, stats=attrs.evolve(MIDWAY.stats, retries=0)
)


ALL_SENT = attrs.evolve(MIDWAY, totals=totals(998, 2), rate=4.25, time_left=None)


END = attrs.evolve(ALL_SENT, over=True)


HELD = attrs.evolve(
    MIDWAY,
    time_left=None,
    stats=attrs.evolve(STATS, state="open", reached=True, in_flight=1, limit=12),
)


def drawn(snapshot: Snapshot, width: int) -> str:
    console = console_on(io.StringIO())
    with console.capture() as captured:
        console.print(picture(snapshot, width), width=width)
    return captured.get()


def test_a_line_says_all_there_is_to_say() -> None:
    assert line(MIDWAY) == (
        " 64 %  642 of 1,000: 640 created, 2 failed, 88 retries, 63 in flight (limit 64), 212/s, "
        "1.7 s left"
    )
    assert line(START) == "  0 %  0 of 1,000: 63 in flight (limit 64)"
    once = attrs.evolve(MIDWAY, stats=attrs.evolve(STATS, retries=1))
    assert ", 1 retry, " in line(once)
    assert line(ALL_SENT).endswith("4.2/s, checking once more those whose answer was lost")
    assert (
        line(END) == "100 %  1,000 of 1,000: 998 created, 2 failed, 88 retries, 4.2/s, took 3.1 s"
    )


def test_counts_of_zero_are_not_shown() -> None:
    again = attrs.evolve(
        END,
        totals=attrs.evolve(totals(0), created_earlier=1000),
        stats=attrs.evolve(STATS, retries=0, in_flight=0),
    )
    assert line(again) == "100 %  1,000 of 1,000: 1,000 existing, 4.2/s, took 3.1 s"
    shown = " ".join(drawn(again, 80).split())
    assert shown.endswith("100 % 1,000 of 1,000 rate 4.2/s took 3.1 s")
    assert "retries 88 rate 4.2/s took 3.1 s" in " ".join(drawn(END, 80).split())


def test_a_line_says_that_the_service_is_gone() -> None:
    said = "no request to the service succeeds; waiting for it to recover"
    assert line(HELD).endswith(f"(limit 12), 212/s, {said}")
    assert line(attrs.evolve(HELD, over=True)).endswith("took 3.1 s")


def test_it_is_not_called_complete_before_it_is() -> None:
    assert line(attrs.evolve(MIDWAY, totals=totals(997, 2))).startswith(" 99 %")


@pytest.mark.parametrize("width", [40, 60, 72, 80, 110, 200])
def test_the_picture_shows_every_number_at_every_width(width: int) -> None:
    text = drawn(MIDWAY, width)
    for part in (
        "642 of 1,000",
        "64 %",
        "created",
        "640",
        "failed",
        "retries",
        "88",
        "63 of 64",
        "212/s",
        "1.7 s",
    ):
        assert part in text
    assert all(len(row) <= width for row in text.splitlines())


@pytest.mark.parametrize("width", [40, 60, 72, 80, 110])
@pytest.mark.parametrize(
    "snapshot", [MIDWAY, HELD, attrs.evolve(MIDWAY, stopping=True)], ids=["midway", "held", "stops"]
)
def test_the_picture_leaves_room_at_the_right_for_what_the_keyboard_echoes(
    snapshot: Snapshot, width: int
) -> None:
    rows = drawn(snapshot, width).splitlines()
    # Further to the right, an echoed `^C` would begin a row that rich does not know of.
    assert max(map(len, rows)) <= width - len("^C")


@pytest.mark.parametrize("width", [40, 80])
def test_the_picture_says_that_the_service_is_gone_and_how_much_it_took(width: int) -> None:
    text = " ".join(drawn(HELD, width).split())
    assert "No request to the service succeeds; waiting for it to recover." in text
    assert "1 of 12" in text
    assert "No request to" not in drawn(MIDWAY, width)
    assert "No request to" not in drawn(attrs.evolve(HELD, over=True), width)


def test_the_picture_says_when_it_looks_again_and_how_long_it_took() -> None:
    assert "Checking once more" in drawn(ALL_SENT, 80)
    end = drawn(END, 80)
    assert "Checking once more" not in end
    assert "took" in end
    assert "3.1 s" in end


def test_the_last_cause_is_told_while_the_service_is_gone() -> None:
    gone = attrs.evolve(
        HELD, stats=attrs.evolve(HELD.stats, last_error="503 Backend\x1b fetch failed")
    )
    said = "o request to the service succeeds (503 Backend fetch failed); waiting for it to recover"
    assert line(gone).endswith(f"n{said}")
    assert f"N{said}." in " ".join(drawn(gone, 120).split())


def test_a_service_that_was_never_reached_is_perhaps_at_another_address() -> None:
    stats = attrs.evolve(STATS, reached=False, last_error="connection refused")
    never = attrs.evolve(START, stats=stats)
    said = (
        "he service was never reached (connection refused): check the base URL "
        "(RESTREAM_BASE_URL or --base-url), the network, and the proxy if there is one; waiting "
        "for it to recover"
    )
    assert line(never).endswith(f"t{said}")
    assert f"T{said}." in " ".join(drawn(never, 160).split())
    assert "never reached" not in line(
        attrs.evolve(START, stats=attrs.evolve(STATS, reached=False))
    )


@pytest.mark.parametrize("width", [40, 80])
def test_it_says_that_it_is_stopping(width: int) -> None:
    stopping = attrs.evolve(HELD, stopping=True)
    assert line(stopping).endswith(", stopping")
    assert "Stopping: requests in flight are finished first." in " ".join(
        drawn(stopping, width).split()
    )
    assert "Stopping" not in drawn(attrs.evolve(stopping, over=True), width)


def test_rarer_outcomes_are_shown_if_there_are_any() -> None:
    counts = totals(3, 1, OutcomeUnknownError=2, NotSentError=4, JournalError=1)
    some = attrs.evolve(MIDWAY, totals=attrs.evolve(counts, existing=7, created_earlier=1))
    assert some.done == 14
    assert "3 created, 1 failed, 8 existing, 2 in doubt, 5 not sent, 88 retries" in line(some)
    text = " ".join(drawn(some, 80).split())
    assert "existing 8 in doubt 2 not sent 5" in text
