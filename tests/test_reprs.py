"""What a model, an outcome or a report shows of itself: never a secret."""

import json
import pickle
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async import (
    Action,
    Change,
    Created,
    Failed,
    InvalidRestreamError,
    NewRestream,
    Origin,
    Restream,
)
from restream_async._bulk.report import BulkCounts, BulkReport
from restream_async._http import serialization
from restream_async._http.json_values import parse
from restream_async._http.messages import Response
from restream_async._operations.create_result import CreateSucceeded
from tests.helpers.examples import API, FIELDS, RESULT, failure, new, stored
from tests.helpers.strategies import SPELLINGS, new_restreams, quick, restreams, spellings

KINDS: Final = sorted(SPELLINGS)
SECRETIVE: Final = {
    "stream_key": "abcd-1234",
    "stream_url": "rtmp://user-name:pass-word@h/app/hidden-path?t=token-5678",
    "title": "abcd-1234 hidden-path user-name pass-word token-5678",
}
KEYED: Final = new(**SECRETIVE)
FOUND: Final = stored(**SECRETIVE)
REPLY: Final = Response(status=503, body=f"no: {' '.join(SECRETIVE.values())}".encode())
REFUSAL: Final = failure(REPLY, request=API.create(KEYED)).error


def test_a_new_restream_shows_all_but_its_secrets() -> None:
    assert repr(new(stream_url="rtmps://u:pass@live.example.com:443/app/key?x=y")) == (
        "NewRestream(video_id='v1', title='YouTube', "
        "stream_url='rtmps://live.example.com:443/***', status=True)"
    )


def test_a_restream_shows_all_but_its_secrets() -> None:
    assert repr(stored(id="r-7", status=False)) == (
        "Restream(id='r-7', video_id='v1', title='YouTube', "
        "stream_url='rtmps://live.example.com/***', status=False)"
    )


@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({"stream_key": "abcd-1234"}, "abcd-1234"),
        ({"stream_key": "abcd-1234", "title": "the key is abcd-1234"}, "abcd-1234"),
        ({"stream_key": "abcd-1234", "title": "the key is abcd-12"}, "abcd-12"),
        ({"stream_key": "abcd-1234", "video_id": "abcd-1234"}, "abcd-1234"),
        ({"stream_key": "ab/cd+12", "title": "key=ab%2Fcd%2B12"}, "ab%2Fcd%2B12"),
        ({"stream_key": "ab/cd+12", "title": "key=ab%2fcd%2b12"}, "ab%2fcd%2b12"),
        ({"stream_key": "ab%2Fcd12", "title": "ab/cd12"}, "ab/cd12"),
        # Python quotes a text that holds both kinds of quotes in a way of its own.
        ({"stream_key": "abc'def", "title": "\" abc'def"}, "def"),
        ({"stream_url": "rtmp://h/app/abcd-1234", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://h/app/x/abcd-1234", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://h/app?key=abcd-1234", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://h/app?abcd-1234", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://h/app?k=ab%2Fcd", "title": "ab/cd"}, "ab/cd"),
        ({"stream_url": "rtmp://h/app#abcd-1234", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://user:abcd-1234@h/", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://abcd-1234:x@h/", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://abcd-1234@h/", "title": "abcd-1234"}, "abcd-1234"),
        ({"stream_url": "rtmp://h/abcd-1234"}, "abcd-1234"),
    ],
)
@pytest.mark.parametrize("build", [new, stored])
def test_no_repr_shows_a_secret_wherever_it_stands(
    build: Callable[..., NewRestream | Restream], changes: dict[str, object], secret: str
) -> None:
    shown = repr(build(**changes))
    assert secret not in shown
    assert "***" in shown


@given(key=st.from_regex(r"[!-)+-~]{9,30}", fullmatch=True), spelling=st.sampled_from(KINDS))
@quick
def test_no_repr_shows_the_key_in_any_spelling(key: str, spelling: str) -> None:
    shown = repr(new(stream_key=key, title=f"see {SPELLINGS[spelling](key)} there"))
    assert not [spelled for spelled in spellings(key) if spelled in shown]


@given(st.one_of(new_restreams, restreams))
@quick
def test_a_model_with_any_values_can_be_shown(model: NewRestream | Restream) -> None:
    assert repr(model).startswith(type(model).__name__)


@pytest.mark.parametrize("wrong", [None, 5, b"abcd-1234", ["abcd-1234"]])
@pytest.mark.parametrize("field", ["video_id", "title", "stream_url", "stream_key"])
def test_what_its_constructor_refused_can_be_shown_and_shows_nothing(
    field: str, wrong: object
) -> None:
    """As debuggers and tracebacks do that show local variables."""
    refused = NewRestream.__new__(NewRestream)
    with pytest.raises(InvalidRestreamError):
        refused.__init__(**{**FIELDS, field: wrong})  # type: ignore[misc]

    assert repr(refused) == "NewRestream(not made)"


def test_half_a_surrogate_pair_from_the_service_can_be_shown() -> None:
    received = serialization.read_restream(parse(json.dumps({**RESULT, "streamKey": "abcd\ud800"})))
    assert repr(received).startswith("Restream(id=7, video_id='v1', title='YouTube'")
    titled = serialization.read_restream(
        {**RESULT, "streamKey": "abcd\ud800", "title": "abcd\ud800!"}
    )
    assert "abcd" not in repr(titled)


@pytest.mark.parametrize(
    "shown",
    [
        Created(index=0, request=KEYED, restream=FOUND, attempts=1),
        Created(
            index=0,
            request=KEYED,
            restream=FOUND,
            attempts=2,
            origin=Origin.CONFIRMED,
            maybe_duplicate=True,
        ),
        Failed(index=0, request=KEYED, error=REFUSAL, attempts=3),
        Failed(index=0, request=KEYED, error=InvalidRestreamError("title", "is odd"), attempts=0),
        CreateSucceeded(restream=FOUND, attempts=1, origin=Origin.POSTED),
        BulkReport(
            created=(Created(index=0, request=KEYED, restream=FOUND, attempts=1),),
            failed=(Failed(index=1, request=KEYED, error=REFUSAL, attempts=3),),
            counts=BulkCounts(posted=1, failed={"BackendFetchFailedError": 1}),
        ),
        Change(
            action=Action.ROTATE,
            video_id="v1",
            title="the key is abcd-1234",
            wanted=KEYED,
            existing=FOUND,
            error=REFUSAL,
        ),
        API.create(KEYED),
        API.list("v1", about=KEYED),
        failure(REPLY, request=API.create(KEYED)),
        [KEYED, FOUND],
    ],
)
def test_what_holds_a_model_shows_no_secret_either(shown: object) -> None:
    for text in (repr(shown), str(shown), f"{shown}"):
        assert text
        for secret in ("abcd-1234", "hidden-path", "user-name", "pass-word", "token-5678"):
            assert secret not in text


def test_an_outcome_shows_what_it_is_about() -> None:
    created = Created(index=3, request=new(), restream=stored(), attempts=2)
    assert "index=3" in repr(created)
    assert "video_id='v1'" in repr(created)
    assert "attempts=2" in repr(created)
    failed = Failed(index=4, request=new(), error=REFUSAL, attempts=5)
    assert "index=4" in repr(failed)
    assert "BackendFetchFailedError" in repr(failed)


def test_outcomes_survive_pickling() -> None:
    created = Created(index=0, request=KEYED, restream=FOUND, attempts=1, origin=Origin.EXISTING)
    assert pickle.loads(pickle.dumps(created)) == created  # noqa: S301 - our own
    failed = Failed(index=0, request=KEYED, error=REFUSAL, attempts=3)
    again = pickle.loads(pickle.dumps(failed))  # noqa: S301 - our own
    assert (again.index, again.request, again.attempts) == (0, KEYED, 3)
    assert str(again.error) == str(REFUSAL)
