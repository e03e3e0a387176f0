import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._http.json_values import as_array, as_integer, as_object, parse, type_name
from tests.helpers.strategies import json_values, quick
from tests.helpers.unreadable_values import READABLE, problem_of


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is empty"),
        ("", "it is empty"),
        (b" ", "it is not JSON at position 1"),
        (b"<html>", "it is not JSON at position 0"),
        (b'{"id": 1', "it is not JSON at position 8"),
        (b'{"id": 1} {', "it is not JSON at position 10"),
        (b'"\xff"', "it is not JSON"),
        (b"\xc3\x28", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        ("{}".encode("utf-16"), "it is not JSON"),
        (
            "{}".encode("utf-32-be"),
            "it is not JSON at position 0, where U+0000 (control character) stands",
        ),
        (b"\xef\xbb\xbf{", "it is not JSON at position 1"),
        (b"[" * 500_000, "it is nested too deeply"),
        (b'{"a":' * 200_000, "it is nested too deeply"),
        (b"1" * 5000, "it is not JSON"),
        (
            "{}\u200b",
            "it is not JSON at position 2, where U+200B (zero width space) stands",
        ),
        (b'{"id": -' + b"9" * 100_000 + b"}", "it is not JSON"),
    ],
    ids=range(17),
)
def test_what_is_no_json_is_unreadable(data: bytes | str, problem: str) -> None:
    assert problem_of(parse, data) == problem


@given(st.one_of(st.binary(), st.text(), json_values.map(lambda value: json.dumps(value)[:-1])))
@quick
def test_any_data_is_read_or_unreadable(data: bytes | str) -> None:
    assert problem_of(parse, data).startswith(("it is ", READABLE))


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b'\xef\xbb\xbf{"id": 7}') == parse(b'{"id": 7}') == {"id": 7}


def test_an_error_never_repeats_the_text() -> None:
    assert "sEcReT" not in problem_of(parse, '{"streamKey": "sEcReT')


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "true or false"),
        ({}, "an object"),
        (1.5, "a number"),
        (1, "an integer"),
        ([], "an array"),
        ("", "a string"),
        (None, "null"),
        ((), "tuple"),
    ],
)
def test_each_type_has_a_name_for_people(value: object, name: str) -> None:
    assert type_name(value) == name


def test_a_value_is_taken_only_as_what_it_is() -> None:
    assert (as_object({"a": 1}), as_object([])) == ({"a": 1}, None)
    assert (as_array([1]), as_array({})) == ([1], None)
    assert (as_integer(1), as_integer(True), as_integer(1.0)) == (1, None, None)  # noqa: FBT003 - a value
