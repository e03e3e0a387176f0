import copy
import pickle
import traceback
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given

from restream_async import InvalidRestreamError, NewRestream, Restream, RestreamError
from restream_async._field_checks import LONGEST_TEXT
from restream_async.models import Toggled
from tests.helpers.examples import FIELDS, new, stored
from tests.helpers.strategies import new_restreams, quick

TEXT_FIELDS = ["video_id", "title", "stream_url", "stream_key"]

WRONG_TEXTS = [
    (None, "must be a string, not NoneType"),
    (5, "must be a string, not int"),
    (1.5, "must be a string, not float"),
    (True, "must be a string, not bool"),
    (b"v1", "must be a string, not bytes"),
    (["v1"], "must be a string, not list"),
    ("", "must not be empty"),
    (" ", "must not be empty"),
    ("\t\u00a0\u3000", "must not be empty"),
    ("rtmps://a/b\n", "must not end with U+000A (line break)"),
    ("rtmps://a/\rb", "must not contain U+000D (carriage return): it is character 11"),
    ("rtmps://a/\0b", "must not contain U+0000 (control character): it is character 11"),
    ("rtmps://a/\x1b[31mb", "must not contain U+001B (control character): it is character 11"),
    ("rtmps://a/\x7fb", "must not contain U+007F (control character): it is character 11"),
    ("rtmps://a/\x85b", "must not contain U+0085 (control character): it is character 11"),
    ("rtmps://a/\u2028b", "must not contain U+2028 (line separator): it is character 11"),
    ("rtmps://a/\u2029b", "must not contain U+2029 (paragraph separator): it is character 11"),
    ("rtmps://a/\ud83d", "must not end with U+D83D (half a surrogate pair)"),
    ("rtmps://a/\udfffb", "must not contain U+DFFF (half a surrogate pair): it is character 11"),
    ("rtmps://a/" + "b" * (LONGEST_TEXT - 9), "must not be longer than 16,384 characters"),
]


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize(("value", "reason"), WRONG_TEXTS)
def test_a_wrong_text_is_refused_by_the_name_of_its_field(
    field: str, value: object, reason: str
) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(**{field: value})
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert str(caught.value) == f"{field} {reason}"


@pytest.mark.parametrize("field", [*TEXT_FIELDS, "status"])
def test_every_field_is_mandatory(field: str) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != field}
    with pytest.raises(TypeError, match=f"'{field}'"):
        NewRestream(**fields)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, "int"), (0, "int"), (None, "NoneType"), ("true", "str"), ("yes", "str"), (1.0, "float")],
)
def test_a_status_is_a_real_bool(value: object, kind: str) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(status=value)
    assert str(caught.value) == f"status must be true or false, not {kind}"


@pytest.mark.parametrize(
    "url",
    [
        "live.example.com/app",
        "//live.example.com/app",
        "://live.example.com",
        "1rtmp://live.example.com",
        "rtmps:",
        "rtmps://",
        "rtmps:///app",
        "rtmps:live.example.com",
        "rtmp://:1935/app",
        "rtmp://user@/app",
    ],
)
def test_a_stream_url_without_a_scheme_or_a_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(stream_url=url)
    assert caught.value.field == "stream_url"
    assert "must have a scheme and a host" in caught.value.reason


@pytest.mark.parametrize("port", ["0", "65536", "-1", "port", "1935x"])
def test_a_port_out_of_range_is_named(port: str) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(stream_url=f"rtmp://live.example.com:{port}/app")
    assert str(caught.value) == "stream_url must have a port from 1 to 65535, or none"


@pytest.mark.parametrize("host", ["[::1", "[live]", "h\u2100"])
def test_a_host_that_cannot_be_read_is_named(host: str) -> None:
    with pytest.raises(InvalidRestreamError, match="stream_url must have a host that can be read"):
        new(stream_url=f"rtmp://{host}/app")


@pytest.mark.parametrize(
    "url",
    [
        "rtmp:// /app",
        " rtmp://live.example.com/app",
        "rtmp://live.example.com/app ",
        "rtmp://live.exa mple.com/app",
        "rtmp://live.example.com/mit leerzeichen",
        "rtmp://live.example.com/app?token=a b",
    ],
)
def test_a_stream_url_with_a_space_is_refused(url: str) -> None:
    with pytest.raises(InvalidRestreamError, match=r"stream_url must not .* U\+0020 \(space\)"):
        new(stream_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://live.example.com",
        "RTMPS://live.example.com:443/app/key?token=x#y",
        "srt://10.0.0.1:9000?streamid=publish/key",
        "rtmp://[2001:db8::1]:1935/app",
        "rtmp://user:password@live.example.com/app",
        "https://bücher.example/hls",
        "rtmp://live.example.com/mit%20leerzeichen",
    ],
)
def test_a_stream_url_is_kept_as_it_was_given(url: str) -> None:
    assert new(stream_url=url).stream_url == url


@pytest.mark.parametrize("segment", [".", ".."])
def test_a_video_id_that_would_change_the_path_is_refused(segment: str) -> None:
    with pytest.raises(InvalidRestreamError, match=r"video_id must not be '\.+'"):
        new(video_id=segment)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_key": "sEcReT-1234\n"},
        {"title": "sEcReT-1234\x00"},
        {"video_id": "sEcReT-1234\ud800"},
        {"stream_url": "sEcReT-1234"},
        {"stream_url": "rtmp://sEcReT-1234:99999/"},
        {"stream_url": "rtmp://[sEcReT-1234/"},
        {"stream_url": "rtmp://u:sEcReT-1234@h\u2100/"},
        {"status": "sEcReT-1234"},
    ],
)
def test_a_refusal_never_repeats_the_value(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(**changes)
    error = caught.value
    assert "sEcReT" not in f"{error} {error!r} {error.args}"
    # Whatever it was chained to would be printed with it. (The line that raised it is above.)
    assert (error.__cause__, error.__context__) == (None, None)
    assert "sEcReT" not in "".join(traceback.format_exception_only(error))


def test_a_refusal_is_a_value_error_and_one_of_ours() -> None:
    with pytest.raises(ValueError, match="title must not be empty") as caught:
        new(title="")
    assert isinstance(caught.value, RestreamError)


def test_all_wrong_fields_are_named() -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        new(title="", stream_url="rtmp://h:0", stream_key="k ", status=1)
    assert caught.value.field == "title"
    assert caught.value.reason == "must not be empty"
    assert caught.value.problems == (
        ("title", "must not be empty"),
        ("stream_url", "must have a port from 1 to 65535, or none"),
        ("stream_key", "must not end with U+0020 (space)"),
        ("status", "must be true or false, not int"),
    )
    assert str(caught.value) == "; ".join(map(" ".join, caught.value.problems))


@pytest.mark.parametrize(
    "title", ["👩\u200d👩\u200d👧", "\u200fשם\u200f", "20\u00a0h", "🏴\U000e0067\U000e007f"]
)
def test_a_title_may_hold_what_emoji_and_scripts_need(title: str) -> None:
    assert new(title=title).title == title


def test_a_changed_copy_is_checked_again() -> None:
    assert attrs.evolve(new(), title="Twitch") == new(title="Twitch")
    with pytest.raises(InvalidRestreamError):
        attrs.evolve(new(), title="")


@pytest.mark.parametrize("model", [new(), stored(), Toggled(id=1, status=True)])
def test_a_model_cannot_be_changed(model: object) -> None:
    with pytest.raises(AttributeError):
        model.status = False  # type: ignore[attr-defined]


def test_a_model_takes_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        NewRestream("v1", "t", "rtmp://h", "k", True)  # type: ignore[call-arg] # noqa: FBT003


@pytest.mark.parametrize("build", [new, stored])
def test_models_with_equal_fields_are_equal_and_hash_alike(
    build: Callable[..., NewRestream | Restream],
) -> None:
    assert build() == build()
    assert hash(build()) == hash(build())


@pytest.mark.parametrize("build", [new, stored])
@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("video_id", "v2"),
        ("title", "Twitch"),
        ("stream_url", "rtmp://h"),
        ("stream_key", "other"),
        ("status", False),
    ],
)
def test_models_that_differ_in_a_field_are_not_equal(
    build: Callable[..., NewRestream | Restream], field: str, other: object
) -> None:
    assert build(**{field: other}) != build()


def test_the_id_tells_restreams_apart() -> None:
    assert stored(id=1) != stored(id=2)
    assert stored(id=1) != stored(id="1")


@given(new_restreams)
@quick
def test_a_model_survives_pickling_and_copying(model: NewRestream) -> None:
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - our own
    assert copy.copy(model) == model
    assert copy.deepcopy(model) == model
