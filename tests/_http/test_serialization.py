import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import InvalidRestreamError, NewRestream, Restream
from restream_async._http import list_response, serialization
from restream_async._http.json_values import parse
from restream_async.models import Toggled
from tests.helpers.examples import FIELDS, RESULT, STREAM_KEY, new, stored, to_json_fields
from tests.helpers.strategies import json_values, new_restreams, quick, restreams
from tests.helpers.unreadable_values import READABLE, problem_of

READERS: Final = [
    serialization.read_restream,
    list_response.read_restreams,
    serialization.read_toggled,
    serialization.read_deleted,
]
NEW: Final = {name: value for name, value in RESULT.items() if name != "id"}


@given(new_restreams)
@quick
def test_any_new_restream_survives_serialization(model: NewRestream) -> None:
    assert serialization.read_new_restream(parse(serialization.to_json(model))) == model


@given(restreams)
@quick
def test_any_restream_survives_serialization(model: Restream) -> None:
    assert serialization.read_restream(parse(json.dumps(to_json_fields(model)))) == model


@given(new_restreams)
@quick
def test_what_is_sent_is_what_the_converter_makes_of_it(model: NewRestream) -> None:
    assert json.loads(serialization.to_json(model)) == to_json_fields(model)


@given(st.lists(restreams, max_size=4))
@quick
def test_any_list_of_restreams_survives_serialization(models: list[Restream]) -> None:
    data = json.dumps([to_json_fields(model) for model in models])
    assert list_response.read_restreams(parse(data)) == models


def test_a_new_restream_is_sent_as_the_documentation_names_it() -> None:
    assert json.loads(serialization.to_json(new(title="Übertragung"))) == {
        "videoId": "v1",
        "title": "Übertragung",
        "streamUrl": "rtmps://live.example.com/app",
        "streamKey": STREAM_KEY,
        "status": True,
    }


def test_what_is_sent_is_ascii_so_no_encoding_can_spoil_it() -> None:
    assert serialization.to_json(new(title="Übertragung 🎥")).isascii()


class Channel(NewRestream):
    """Somebody's own."""


def test_a_subclass_is_sent_like_what_it_is() -> None:
    assert serialization.to_json(Channel(**FIELDS)) == serialization.to_json(new())


@pytest.mark.parametrize("kept", [7, "7", "r-7", 0, -1, 10**30])
def test_an_id_is_kept_as_it_was_sent(kept: object) -> None:
    read = serialization.read_restream(parse(json.dumps({**RESULT, "id": kept})))
    assert (read.id, type(read.id)) == (kept, type(kept))
    toggled = serialization.read_toggled({"id": kept, "status": True})
    assert (toggled.id, type(toggled.id)) == (kept, type(kept))


def test_undocumented_fields_are_ignored() -> None:
    assert serialization.read_restream({**RESULT, "region": "eu", "meta": {"a": [1]}}) == stored()
    assert list_response.read_restreams([{**RESULT, "id": 8, "region": None}]) == [stored(id=8)]
    assert serialization.read_toggled({"id": 1, "status": False, "x": 1}) == Toggled(
        id=1, status=False
    )
    assert serialization.read_new_restream({**NEW, "line": 3}) == new()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("id", None, "result.id: expected an integer or a string, got null"),
        ("id", True, "result.id: expected an integer or a string, got true or false"),
        ("id", 7.0, "result.id: expected an integer or a string, got a number"),
        ("id", [7], "result.id: expected an integer or a string, got an array"),
        ("title", 5, "result.title: expected a string, got an integer"),
        ("title", None, "result.title: expected a string, got null"),
        ("streamKey", 1234, "result.streamKey: expected a string, got an integer"),
        ("streamUrl", {}, "result.streamUrl: expected a string, got an object"),
        ("status", "yes", "result.status: expected true or false, got a string"),
        ("status", 1, "result.status: expected true or false, got an integer"),
        ("status", None, "result.status: expected true or false, got null"),
        ("videoId", 1.5, "result.videoId: expected a string, got a number"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_path(
    name: str, value: object, problem: str
) -> None:
    wrong = {**RESULT, name: value}
    assert problem_of(serialization.read_restream, wrong) == problem
    assert problem_of(list_response.read_restreams, wrong) == problem
    in_list = problem.replace("result", "result[3]", 1)
    assert problem_of(list_response.read_restreams, [RESULT, RESULT, RESULT, wrong]) == in_list


@pytest.mark.parametrize("name", sorted(RESULT.keys() - {"streamKey", "streamUrl"}))
def test_a_missing_value_is_named_by_its_path(name: str) -> None:
    rest = {key: value for key, value in RESULT.items() if key != name}
    assert problem_of(serialization.read_restream, rest) == f"result.{name}: is missing"
    assert (
        problem_of(list_response.read_restreams, [rest, RESULT]) == f"result[0].{name}: is missing"
    )


@pytest.mark.parametrize(
    ("name", "field"), [("streamKey", "stream_key"), ("streamUrl", "stream_url")]
)
def test_a_secret_that_is_not_shown_is_empty(name: str, field: str) -> None:
    rest = {key: value for key, value in RESULT.items() if key != name}
    assert (
        serialization.read_restream(rest)
        == serialization.read_restream({**RESULT, name: None})
        == stored(**{field: ""})
    )


def test_several_problems_are_told_together() -> None:
    assert problem_of(serialization.read_restream, {**RESULT, "id": None, "streamKey": 5}) == (
        "result.id: expected an integer or a string, got null; "
        "result.streamKey: expected a string, got an integer"
    )


def test_of_very_many_problems_the_first_are_told() -> None:
    empty: list[object] = [{}] * 1000
    problem = problem_of(list_response.read_restreams, empty)
    assert problem.startswith("result[0].id: is missing; ")
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (serialization.read_restream, None, "result: expected an object, got null"),
        (serialization.read_restream, "x", "result: expected an object, got a string"),
        (serialization.read_restream, 5, "result: expected an object, got an integer"),
        (serialization.read_restream, True, "result: expected an object, got true or false"),
        (serialization.read_restream, [], "result: expected an object, got an array"),
        (list_response.read_restreams, "x", "result: expected an array, an object or null"),
        (list_response.read_restreams, 5, "result: expected an array, an object or null"),
        (list_response.read_restreams, False, "result: expected an array, an object or null"),
        (list_response.read_restreams, [RESULT, None], "result[1]: expected an object, got null"),
        (list_response.read_restreams, [[RESULT]], "result[0]: expected an object, got an array"),
        (serialization.read_toggled, None, "result: expected an object, got null"),
        (serialization.read_toggled, {"id": 1}, "result.status: is missing"),
        (
            serialization.read_toggled,
            {"id": 1, "status": 1},
            "result.status: expected true or false, got an integer",
        ),
        (serialization.read_deleted, None, "result: expected true or false, got null"),
        (serialization.read_deleted, 1, "result: expected true or false, got an integer"),
        (serialization.read_deleted, "true", "result: expected true or false, got a string"),
        (serialization.read_deleted, {}, "result: expected true or false, got an object"),
    ],
)
def test_a_result_of_the_wrong_shape_is_unreadable(
    read: Callable[[Any], object], value: object, problem: str
) -> None:
    assert problem_of(read, value) == problem


@pytest.mark.parametrize("value", [True, False])
def test_a_deletion_is_answered_with_a_bool(value: object) -> None:
    assert serialization.read_deleted(value) is value


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ({**NEW, "title": 5}, "title", "must be a string, not an integer"),
        ({**NEW, "status": "yes"}, "status", "must be true or false, not a string"),
        ({**NEW, "streamKey": None}, "stream_key", "must be a string, not null"),
        ({**NEW, "title": ""}, "title", "must not be empty"),
        ({**NEW, "videoId": ".."}, "video_id", "must not be '..'"),
        ({**NEW, "streamUrl": "x"}, "stream_url", "must have a scheme and a host"),
        ({"videoId": "v1"}, "title", "is missing"),
        (FIELDS, "video_id", "is missing"),
        ([NEW], "the value", "must be an object, not an array"),
        (None, "the value", "must be an object, not null"),
    ],
)
def test_a_new_restream_that_cannot_be_read_is_invalid(
    value: object, field: str, reason: str
) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        serialization.read_new_restream(value)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_all_wrong_fields_are_told_in_json_names() -> None:
    wrong = {**NEW, "title": 5, "streamUrl": "rtmp://h:0", "streamKey": "k\u200b"}
    del wrong["videoId"]
    with pytest.raises(InvalidRestreamError) as caught:
        serialization.read_new_restream(wrong)
    assert serialization.problems_in_json_names(caught.value) == (
        "videoId is missing; title must be a string, not an integer; "
        "streamUrl must have a port from 1 to 65535, or none; "
        "streamKey must not end with U+200B (zero width space)"
    )


@given(st.sampled_from(READERS), json_values)
@quick
def test_any_result_is_read_or_unreadable(read: Callable[[Any], object], value: object) -> None:
    assert problem_of(read, value).startswith(("result", READABLE))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(RESULT, json_values)))
@quick
def test_any_object_is_a_restream_as_sent_or_unreadable(value: dict[str, Any]) -> None:
    problem = problem_of(serialization.read_restream, value)
    assert problem_of(list_response.read_restreams, [value]) == problem.replace(
        "result.", "result[0]."
    )
    assert (
        problem.startswith("result") or to_json_fields(serialization.read_restream(value)) == value
    )


def test_what_is_said_of_a_value_never_repeats_it() -> None:
    for name in RESULT:
        for value in ({"sEcReT": 1}, ["sEcReT"], b"sEcReT"):
            assert "sEcReT" not in problem_of(serialization.read_restream, {**RESULT, name: value})
    assert "sEcReT" not in problem_of(serialization.read_deleted, "sEcReT")


@pytest.mark.parametrize(
    ("name", "wire"),
    [("stream_key", "streamKey"), ("id", "id"), ("live_video_id", "liveVideoId")],
)
def test_json_names_are_in_camel_case(name: str, wire: str) -> None:
    assert serialization.json_name(name) == wire
