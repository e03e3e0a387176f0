"""Changes of each kind, as `client.plan` and `client.apply` give them."""

from typing import Any, Final

from restream_async import NewRestream, Restream
from restream_async.changes import Action, Change
from restream_async.errors import (
    BackendFetchFailedError,
    Call,
    NotSentError,
    OutcomeUnknownError,
    TransportError,
)
from tests.helpers.command_line import STREAM_KEY, STREAM_URL

CALL: Final = Call("GET", "/api/v1/p1/live-video/v1/restreams", "v1")
UNREADABLE: Final = BackendFetchFailedError(
    CALL, status=503, reason="Backend fetch failed", attempts=5
)
LOST: Final = OutcomeUnknownError(
    CALL, doubt=TransportError(CALL, detail="connection lost", sent=True)
)
NOT_SENT: Final = NotSentError(CALL, detail="stopped", sent=False)


def wanted(title: str = "YouTube", **fields: Any) -> NewRestream:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "video_id": "v1",
        "stream_url": STREAM_URL,
        "stream_key": STREAM_KEY,
        "status": True,
        **fields,
    }
    return NewRestream(title=title, **values)


def existing(title: str = "YouTube", **fields: Any) -> Restream:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "id": 7,
        "video_id": "v1",
        "stream_url": STREAM_URL,
        "stream_key": f"old-{STREAM_KEY}",
        "status": True,
        **fields,
    }
    return Restream(title=title, **values)


def _change(action: Action, fields: dict[str, Any], **defaults: object) -> Change:
    values: dict[str, Any] = {"video_id": "v1", "title": "YouTube", **defaults, **fields}
    return Change(action=action, **values)


def create(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.CREATE, fields, wanted=wanted())


def enable(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.ENABLE, fields, wanted=wanted(), existing=existing(status=False))


def disable(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.DISABLE, fields, wanted=wanted(status=False), existing=existing())


def rotate(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.ROTATE, fields, wanted=wanted(), existing=existing())


def extra(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.DELETE, fields, title="Old", existing=existing("Old"))


def duplicate(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.DELETE, fields, wanted=wanted(), existing=existing(), is_duplicate=True)


def keep(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.KEEP, fields, wanted=wanted(), existing=existing())


def unread(**fields: Any) -> Change:  # noqa: ANN401 - any field
    return _change(Action.KEEP, fields, wanted=wanted(), error=UNREADABLE)
