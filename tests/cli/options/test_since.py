"""The option `--since`."""

import datetime as dt

import pytest
import typer

from restream_async.cli.options.since import time_of

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800)]
)
def test_an_age_counts_from_now(text: str, seconds: int) -> None:
    before = dt.datetime.now(dt.UTC)
    found = time_of(text) + dt.timedelta(seconds=seconds)
    assert before <= found <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00Z", NOON),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31 12:00:00.5Z", NOON + dt.timedelta(seconds=0.5)),
        ("1492-10-12T00:00Z", EPOCH),
        ("99999d", EPOCH),
    ],
)
def test_a_time_is_taken_with_its_zone(text: str, time: dt.datetime) -> None:
    assert time_of(text) == time


def test_a_time_without_a_zone_is_that_of_this_machine() -> None:
    assert time_of("2026-01-31T12:00") == NOON.replace(tzinfo=None).astimezone()
    assert time_of("2026-01-31") == NOON.replace(tzinfo=None, hour=0).astimezone()


@pytest.mark.parametrize("text", ["", "soon", "10", "m", "1.5h", "-5m", "٣m", "999999999d", "0001"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is neither a time such as 2026-01-31T18:00Z nor"):
        time_of(text)


def test_the_future_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="2999-01-01 is in the future"):
        time_of("2999-01-01")
