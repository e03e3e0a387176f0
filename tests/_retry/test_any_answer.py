"""Whatever the service answers: a value or one of our errors, and no secret in any text of it."""

import html
import json
import pickle
import traceback
from functools import cached_property
from typing import Any, Final

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restream_async import NewRestream, Restream, RestreamError
from restream_async._http import list_response, serialization
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._retry.classification import Failure
from restream_async._util.redaction import one_line
from tests.helpers.examples import API, classified, envelope, new
from tests.helpers.strategies import SPELLINGS, json_values, quick, spellings

API_KEYS: Final = ["Zq7-Api.Key_0c3f9a1d", "Zq\"7&<k>\\e/y+%'`=", "918273645546372819"]
WISHES: Final = [
    new(stream_key="qZ3m-94aa-7be2-xW", stream_url="rtmps://live.example.com/app"),
    new(
        stream_key="sch\u00fcssel \u9375 & <\"q'/\\%41+>",
        stream_url="rtmps://Us3rN4me:P4ssW0rd%2F%21@live.example.com/app/inst/P4thK3y?t=T0k3n%26x#Fr4g",
    ),
    new(
        stream_key="736455463728190918",
        stream_url="srt://live.example.com:9000?streamid=Str3amId/9",
    ),
]
READERS: Final = [
    serialization.read_restream,
    list_response.read_restreams,
    serialization.read_toggled,
    serialization.read_deleted,
]


def cut_text(text: str, at: int) -> str:
    return text[:at]


def cut_body(body: bytes, at: int) -> bytes:
    return body[:at]


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


@attrs.frozen
class World:
    """A creation, the key that it is made with, and texts that repeat what must not be."""

    wish: NewRestream
    api_key: str

    @cached_property
    def secrets(self) -> list[str]:
        return [secret for secret in (self.api_key, *self.wish.secrets) if len(secret) >= 4]

    @cached_property
    def unspeakable(self) -> set[str]:
        """What no text may hold: the secrets in every spelling, and those put on one line."""
        spelled = {form for secret in self.secrets for form in spellings(secret)}
        return spelled | {one_line(form) for form in spelled}

    @cached_property
    def texts(self) -> st.SearchStrategy[str]:
        """Texts with a secret in them, or cut off in one."""
        spelled = st.sampled_from(sorted(self.unspeakable))
        before = st.sampled_from(["", "bad key ", "<b>", "'", "x\n", "\x1b[31m", "\u202e"])
        after = st.sampled_from(["", " is wrong", "</b>", "'", "\n"])
        cut = st.builds(cut_text, spelled, st.integers(4, 60))
        return st.one_of(st.builds("{}{}{}".format, before, spelled, after), cut)

    @cached_property
    def values(self) -> st.SearchStrategy[object]:
        """JSON with secrets for texts, for names and for numbers."""
        numbers = [int(secret) for secret in self.secrets if secret.isdecimal()] or [0]
        names = st.one_of(self.texts, st.sampled_from(["streamKey", "n"]))
        return st.recursive(
            st.one_of(self.texts, st.sampled_from(numbers), st.none()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)
            ),
            max_leaves=4,
        )

    @cached_property
    def bodies(self) -> st.SearchStrategy[bytes]:
        """An envelope, another JSON, HTML or text; well-formed or not, whole or cut off."""
        envelopes = st.fixed_dictionaries(
            {
                "success": st.sampled_from([True, False, None]),
                "errors": self.values,
                "messages": self.values,
                "result": self.values,
                "statusCode": st.sampled_from([200, 400, 401, 404, 429, 500, 503, None, "x"]),
            }
        )
        as_json = st.builds(
            json.dumps, st.one_of(envelopes, self.values), ensure_ascii=st.booleans()
        )
        deep = as_json.map(lambda text: f'{{"errors": {"[" * 50}{text}{"]" * 50}}}')
        page = self.texts.map(lambda text: f"<html><p>{html.escape(text)}</p></html>")
        whole = st.builds(
            encoded,
            st.one_of(as_json, deep, page, self.texts),
            st.sampled_from(["utf-8", "utf-16", "utf-16-le"]),
        )
        return st.one_of(whole, st.builds(cut_body, whole, st.integers(0, 200)))


WORLDS: Final = [World(wish, api_key) for wish, api_key in zip(WISHES, API_KEYS, strict=True)]
worlds: Final = st.sampled_from(WORLDS)


def texts_of(failure: Failure) -> str:
    """Return everything that anybody could print of a failure."""
    error = failure.error
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    try:
        raise error
    except RestreamError as raised:
        shown = traceback.format_exception(raised)
    return "\n".join([*shown, repr(error), str(error), str(again), repr(again), repr(failure)])


@given(
    status=st.integers(200, 599),
    body=st.one_of(st.binary(), st.one_of(st.text(), json_values.map(json.dumps)).map(str.encode)),
    headers=st.dictionaries(st.sampled_from(["Retry-After", "Date", "X"]), st.text()),
    reason=st.text(),
    read=st.sampled_from(READERS),
)
@example(status=200, body=b"[" * 10**6, headers={}, reason="", read=serialization.read_restream)
@example(status=500, body=b'{"a":' * 10**5, headers={}, reason="", read=serialization.read_restream)
@example(status=200, body=b"9" * 10**6, headers={}, reason="", read=serialization.read_restream)
@quick
def test_any_bytes_are_a_value_or_one_of_our_errors(
    status: int,
    body: bytes,
    headers: dict[str, str],
    reason: str,
    read: Any,  # noqa: ANN401 - any of them
) -> None:
    answer = Response(status=status, reason=reason, headers=headers, body=body)
    result = classified(answer, read)
    if not isinstance(result, Failure):
        assert 200 <= status < 300
        assert isinstance(result, Restream | list | bool) or read is serialization.read_toggled
        return
    assert isinstance(result.error, RestreamError)
    assert len(str(result.error).splitlines()) == 1
    assert len(str(result.error)) < 1000


@given(st.sampled_from([200, 201, 302, 400, 404, 429, 500, 503]), worlds, st.data())
@quick
def test_no_text_of_a_failure_holds_a_secret(
    status: int, world: World, data: st.DataObject
) -> None:
    answer = Response(
        status=status,
        reason=data.draw(st.one_of(st.just(""), world.texts)),
        headers={"Retry-After": data.draw(st.one_of(st.just("5"), world.texts))},
        body=data.draw(world.bodies),
        defect=data.draw(st.one_of(st.just(""), world.texts)),
    )
    request = API.create(world.wish)
    result = classified(
        answer, serialization.read_restream, request=request, secrets=(world.api_key,)
    )
    assert isinstance(result, Failure)
    text = texts_of(result)
    assert not [form for form in world.unspeakable if form in text]


@given(st.booleans(), st.booleans(), worlds, st.data())
@quick
def test_no_text_of_a_lost_exchange_holds_a_secret(
    sent: bool,  # noqa: FBT001 - drawn
    timed_out: bool,  # noqa: FBT001 - drawn
    world: World,
    data: st.DataObject,
) -> None:
    answer = NoResponse(detail=data.draw(world.texts), sent=sent, timed_out=timed_out)
    request = API.create(world.wish)
    result = classified(
        answer, serialization.read_restream, request=request, secrets=(world.api_key,)
    )
    assert isinstance(result, Failure)
    text = texts_of(result)
    assert not [form for form in world.unspeakable if form in text]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_that_the_answer_was_cut_off_in_is_not_shown(
    wish: NewRestream, encoding: str, spelling: str
) -> None:
    spelled = SPELLINGS[spelling](wish.stream_key)
    for length in range(4, len(spelled)):
        body = f"0 1 2 {spelled[:length]}".encode(encoding)
        answer = Response(status=500, body=body)
        result = classified(answer, serialization.read_restream, request=API.create(wish))
        assert isinstance(result, Failure)
        assert str(result.error).startswith("500 Internal Server Error (0 1 2 ***): ")


def test_a_key_at_the_edge_of_what_is_looked_at_is_not_shown() -> None:
    wish = WISHES[1]
    key = wish.stream_key.encode()
    # Also where the edge goes through the middle of a character.
    for length in range(5, len(key) + 1):
        body = b"<p>".ljust(4096 - length) + key
        result = classified(
            Response(status=500, body=body), serialization.read_restream, request=API.create(wish)
        )
        assert isinstance(result, Failure)
        assert wish.stream_key[:4] not in str(result.error)
        assert "(***)" in str(result.error)


@given(st.data())
@quick
def test_foreign_secrets_in_a_list_answer_are_not_shown(data: st.DataObject) -> None:
    foreign = {"streamKey": "F0re1gnKey", "streamUrl": "rtmp://u:F0re1gnPw@h/app/F0re1gnPath"}
    wrongs: list[dict[str, object]] = [{"id": None}, {"title": 5}, {"status": "F0re1gn"}]
    wrong = data.draw(st.sampled_from(wrongs))
    entry: dict[str, Any] = {"id": 1, "title": "t", "status": True, "videoId": "v1", **foreign}
    body = envelope([entry, {**entry, **wrong}], success=data.draw(st.booleans()), statusCode=None)
    body = body[: data.draw(st.integers(len(body) - 30, len(body)))]
    request: Request = API.list("v1")
    status = data.draw(st.sampled_from([200, 404, 500]))
    result = classified(
        Response(status=status, body=body), list_response.read_restreams, request=request
    )
    assert isinstance(result, Failure)
    assert "F0re1gn" not in texts_of(result)
