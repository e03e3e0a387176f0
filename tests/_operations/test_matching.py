"""Whether a restream that the service shows is the wanted one, case by case."""

from __future__ import annotations

import pytest

from restream_async._operations.matching import (
    Match,
    is_masked,
    match,
    match_key,
    match_url,
    may_be_hidden,
)
from tests.helpers.examples import new, stored

SAME, DIFFERENT, UNCLEAR = Match.SAME, Match.DIFFERENT, Match.UNCLEAR
KEY = "abcd-efgh-ijkl-wxyz"


@pytest.mark.parametrize(
    ("wanted", "shown", "expected"),
    [
        ("rtmps://a.example/app", "rtmps://a.example/app", SAME),
        # A slash at the end, the case of scheme and host, the default port, a dot after the host.
        ("rtmps://a.example/app", "rtmps://a.example/app/", SAME),
        ("rtmps://a.example", "rtmps://a.example/", SAME),
        ("rtmps://a.example/app", "RTMPS://A.Example/app", SAME),
        ("rtmps://a.example/app", "rtmps://a.example:443/app", SAME),
        ("rtmp://a.example:1935/app", "rtmp://a.example/app", SAME),
        ("rtmp://a.example./app", "rtmp://a.example/app", SAME),
        # Percent-escapes of what needs none, and the case of the others.
        ("rtmp://a.example/%7Eapp", "rtmp://a.example/~app", SAME),
        ("rtmp://a.example/a%2fb", "rtmp://a.example/a%2Fb", SAME),
        ("rtmp://a.example/a%2Fb", "rtmp://a.example/a/b", DIFFERENT),
        ("rtmp://a.example/app", "rtmp://a.example/App", DIFFERENT),
        ("rtmp://a.example/app", "rtmps://a.example/app", DIFFERENT),
        ("rtmp://a.example/app", "rtmp://b.example/app", DIFFERENT),
        ("rtmp://a.example/app", "rtmp://a.example:1936/app", DIFFERENT),
        ("rtmp://a.example/app?x=1", "rtmp://a.example/app?x=2", DIFFERENT),
        ("rtmp://a.example/app#x", "rtmp://a.example/app#y", DIFFERENT),
        ("rtmp://u:p@a.example/app", "rtmp://u:q@a.example/app", DIFFERENT),
        ("rtmp://a.example/app", "rtmp://a.example/app2", DIFFERENT),
        ("srt://a.example:9000", "srt://a.example:9000/", SAME),
        ("rtmp://a.example/app", "rtmp://a.example:x/app", DIFFERENT),
        # Masked, or left out.
        ("rtmp://a.example/app/secret", "rtmp://a.example/app/***", UNCLEAR),
        ("rtmp://u:p@a.example/app", "rtmp://***@a.example/app", UNCLEAR),
        ("rtmp://a.example/app/secret", "rtmp://b.example/app/***", DIFFERENT),
        ("rtmp://a.example/app", "", UNCLEAR),
        # Without the parts where secrets are.
        ("rtmp://u:p@a.example/app", "rtmp://a.example/app", UNCLEAR),
        ("rtmp://a.example/app?token=x", "rtmp://a.example/app", UNCLEAR),
        ("rtmp://a.example/app/secret", "rtmp://a.example", UNCLEAR),
        ("rtmp://a.example/app?token=x", "rtmp://a.example/other", DIFFERENT),
        ("rtmp://a.example/app", "rtmp://a.example/app?token=x", DIFFERENT),
    ],
)
def test_stream_urls_are_compared_as_urls(wanted: str, shown: str, expected: Match) -> None:
    assert match_url(wanted, shown) is expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (KEY, SAME),
        ("****wxyz", UNCLEAR),
        ("abcd****", UNCLEAR),
        ("abcd-****-wxyz", UNCLEAR),
        ("********", UNCLEAR),
        ("•••••", UNCLEAR),
        ("abcd…", UNCLEAR),
        ("abcd...", UNCLEAR),
        ("XXXX-XXXX-wxyz", UNCLEAR),
        ("", UNCLEAR),
        ("[hidden]", UNCLEAR),
        ("<Redacted>", UNCLEAR),
        ("wxyz", UNCLEAR),
        ("abcd", UNCLEAR),
        # What is shown of it is of another one.
        ("****wxyy", DIFFERENT),
        ("abce****", DIFFERENT),
        ("XXXX-XXXX-wxyy", DIFFERENT),
        ("abcd-efgh-ijkl", DIFFERENT),
        ("efgh", DIFFERENT),
        (KEY.upper(), DIFFERENT),
    ],
)
def test_a_stream_key_that_is_not_shown_in_full_is_unclear(shown: str, expected: Match) -> None:
    assert match_key(KEY, shown) is expected


@pytest.mark.parametrize(("wanted", "expected"), [("abcdefghi", UNCLEAR), ("abcdefgh", DIFFERENT)])
def test_a_third_of_a_key_may_be_its_beginning(wanted: str, expected: Match) -> None:
    assert match_key(wanted, "abc") is expected


@pytest.mark.parametrize(
    ("length", "expected"), [(2, DIFFERENT), (3, UNCLEAR), (6, UNCLEAR), (7, DIFFERENT)]
)
def test_three_to_six_characters_may_be_the_end_of_a_long_key(length: int, expected: Match) -> None:
    wanted = "abcdefghijklmnopqrstuvwxyz"
    assert match_key(wanted, wanted[-length:]) is expected
    assert may_be_hidden(wanted[-length:]) is (expected is UNCLEAR)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [("key-12", "key-1"), ("12-key", "2-key"), ("cam-two", "cam"), ("12", "1"), ("key-12", "k")],
)
def test_short_keys_are_told_apart(wanted: str, shown: str) -> None:
    assert match_key(wanted, shown) is DIFFERENT


@pytest.mark.parametrize(
    ("shown", "expected"), [("", True), ("***", True), ("abcd…", True), (KEY, False)]
)
def test_what_stands_for_hidden_characters_is_known(shown: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_masked(shown) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, SAME),
        ({"title": "Renamed", "status": False}, SAME),
        ({"video_id": "v2"}, DIFFERENT),
        ({"video_id": "V1"}, SAME),
        ({"video_id": ""}, SAME),
        ({"stream_key": "***"}, UNCLEAR),
        ({"stream_key": "***", "stream_url": "rtmp://elsewhere.example/app"}, DIFFERENT),
        ({"stream_key": "another", "stream_url": ""}, DIFFERENT),
    ],
)
def test_all_that_makes_a_restream_the_same_one_is_compared(
    changes: dict[str, object], expected: Match
) -> None:
    assert match(new(), stored(**changes)) is expected
