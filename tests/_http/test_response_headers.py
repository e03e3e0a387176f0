"""How long the service asks to wait: one row for each form of `Retry-After`."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from restream_async._http.response_headers import retry_after
from tests.helpers.examples import NOW
from tests.helpers.strategies import quick

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("0.25", 0.25),
        ("86400", 86400.0),
        ("9999999999", 9999999999.0),
        # The three forms of RFC 9110, section 5.6.7.
        (DATE, 7.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 7.0),
        ("Sun Nov  6 08:49:37 1994", 7.0),
        # Forms of elsewhere.
        ("Sun, 06 Nov 1994 08:49:37", 7.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 7.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 7.0),
        # Nobody waits for the past.
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Tue, 06 Nov 1894 08:49:37 GMT", 0.0),
        # What the policy's cap is for.
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 - NOW),
    ],
)
def test_a_usable_retry_after_is_in_seconds(value: str, seconds: float) -> None:
    assert retry_after({"Retry-After": value}, lambda: NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-1",
        "+5",
        "1e3",
        "1.",
        ".5",
        "1,5",
        "0x10",
        "5 s",
        "5, 5",
        "120 seconds",
        "soon",
        "nan",
        "inf",
        "Infinity",
        "99999999999",
        "1" * 5000,
        "\u0665",  # an Arabic-Indic five
        "\uff15",  # a fullwidth five
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +9999",
        "Sun, 06 Nov 1994 08:49:37 +99999999999999",
        "Sun, 06 Nov",
        "1994-11-06T08:49:37Z",
        "5\udcff",
    ],
)
def test_an_unusable_retry_after_is_ignored(value: str) -> None:
    assert retry_after({"Retry-After": value}, lambda: NOW) is None


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_date_without_a_zone_is_in_gmt_wherever_this_machine_is() -> None:
    assert retry_after({"Retry-After": "Sun Nov  6 08:49:37 1994"}, lambda: NOW) == 7


def test_without_a_retry_after_there_is_none() -> None:
    assert retry_after({}, lambda: NOW) is None


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        # The reply's own clock counts, however wrong it or ours may be.
        (DATE, "Sun, 06 Nov 1994 08:49:30 GMT", 7.0),
        (DATE, "Sun, 06 Nov 1994 08:48:37 GMT", 60.0),
        (DATE, "Sunday, 06-Nov-94 08:49:07 GMT", 30.0),
        (DATE, "Sun, 06 Nov 1994 08:50:00 GMT", 0.0),
        (DATE, "Sat, 06 Nov 2094 08:50:00 GMT", 0.0),
        (DATE, "nonsense", 7.0),
        (DATE, "", 7.0),
        ("5", "Sat, 06 Nov 2094 08:50:00 GMT", 5.0),
        ("nonsense", DATE, None),
    ],
)
def test_a_date_is_measured_against_the_date_of_the_reply(
    value: str, date: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": value, "Date": date}, lambda: NOW) == seconds


def test_the_clock_of_this_machine_is_asked_only_where_the_reply_has_none() -> None:
    def asked() -> float:
        raise AssertionError("nobody needs to know")

    assert retry_after({"Retry-After": "5"}, asked) == 5
    assert retry_after({"Retry-After": "nonsense"}, asked) is None
    assert retry_after({"Retry-After": DATE, "Date": DATE}, asked) == 0


def test_the_name_of_the_header_may_come_in_any_case() -> None:
    assert retry_after(CIMultiDict({"retry-after": "5"}), lambda: NOW) == 5


@given(st.text(), st.text())
@quick
def test_any_header_is_a_time_to_wait_or_ignored(value: str, date: str) -> None:
    seconds = retry_after({"Retry-After": value, "Date": date}, lambda: NOW)
    assert seconds is None or seconds >= 0


@given(
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} (Jan|Nov|Dec) \d{1,6} \d{1,3}:\d\d:\d\d [+-]?\w{1,6}"),
    st.sampled_from([DATE, "", "Mon, 01 Jan 0001 00:00:00 +2359"]),
)
@quick
def test_anything_like_a_date_is_a_time_to_wait_or_ignored(value: str, date: str) -> None:
    seconds = retry_after({"Retry-After": value, "Date": date}, lambda: NOW)
    assert seconds is None or 0 <= seconds < 10**12
