"""Examples: a restream with its secrets, and responses about it, classified."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs

from restream_async import NewRestream, Restream
from restream_async._http import serialization
from restream_async._http.api import Api
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._retry.classification import Failure, classify

_T = TypeVar("_T")

API_KEY: Final = "api-key-0c3f9a1d"
STREAM_KEY: Final = "strm-7be2-94aa"
FIELDS: Final[Mapping[str, Any]] = {
    "video_id": "v1",
    "title": "YouTube",
    "stream_url": "rtmps://live.example.com/app",
    "stream_key": STREAM_KEY,
    "status": True,
}
RESULT: Final[Mapping[str, Any]] = {
    "id": 7,
    "title": "YouTube",
    "streamKey": STREAM_KEY,
    "streamUrl": "rtmps://live.example.com/app",
    "status": True,
    "videoId": "v1",
}
# Sun, 06 Nov 1994 08:49:30 GMT
NOW: Final = 784111770.0
API: Final = Api("p1")


def new(**changes: object) -> NewRestream:
    fields: dict[str, Any] = {**FIELDS, **changes}
    return NewRestream(**fields)


def stored(**changes: object) -> Restream:
    fields: dict[str, Any] = {"id": 7, **FIELDS, **changes}
    return Restream(**fields)


def to_json_fields(model: NewRestream | Restream) -> dict[str, Any]:
    """Return a model as the fields of a JSON object, secrets included."""
    return {serialization.json_name(name): value for name, value in attrs.asdict(model).items()}


def envelope(result: object = RESULT, **changes: object) -> bytes:
    """Return the body of the documented response."""
    fields: dict[str, object] = {
        "success": True,
        "errors": [],
        "messages": [],
        "result": result,
        "resultInfo": None,
        "statusCode": 200,
    }
    return json.dumps({**fields, **changes}).encode()


def denial(**changes: object) -> bytes:
    """Return the envelope with `success: false`."""
    return envelope(None, **{"success": False, "statusCode": 400, **changes})


def classified(
    answer: Response | NoResponse,
    read: Callable[[object], _T],
    *,
    request: Request | None = None,
    secrets: tuple[str, ...] = (API_KEY,),
) -> _T | Failure:
    asked = request if request is not None else API.create(new())
    return classify(asked, answer, read, secrets=secrets, wall_clock=lambda: NOW)


def failure(answer: Response | NoResponse, *, request: Request | None = None) -> Failure:
    result = classified(answer, serialization.read_restream, request=request)
    assert isinstance(result, Failure)
    return result
