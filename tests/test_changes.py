"""A change: what it says of itself."""

import pytest

from restream_async import Action, Change, NotSentError
from restream_async.errors import Call
from tests.helpers.wanted_states import have, want

ERROR = NotSentError(Call("GET", "/restreams"), detail="it was stopped", sent=False)


def change(action: Action, **fields: object) -> Change:
    return Change(action=action, video_id="v1", title="YouTube", **fields)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the fields of Change


@pytest.mark.parametrize(
    ("shown", "in_sync"),
    [
        (change(Action.KEEP, wanted=want(), existing=have(1)), True),
        (change(Action.KEEP, wanted=want(), error=ERROR), False),
        (change(Action.CREATE, wanted=want()), False),
        (change(Action.ENABLE, wanted=want(), existing=have(1, status=False)), False),
        (change(Action.ROTATE, wanted=want(), existing=have(1, "b"), needs="rotate"), False),
        (change(Action.DELETE, existing=have(1), needs="prune"), True),
        (change(Action.DELETE, existing=have(1)), False),
    ],
)
def test_only_what_is_to_be_done_is_out_of_sync(*, shown: Change, in_sync: bool) -> None:
    assert shown.is_in_sync is in_sync


def test_only_what_nothing_wants_is_extra() -> None:
    assert change(Action.DELETE, existing=have(1)).is_extra
    assert not change(Action.DELETE, wanted=want(), existing=have(1), is_duplicate=True).is_extra
    assert not change(Action.CREATE, wanted=want()).is_extra


def test_it_names_what_differs_at_the_service() -> None:
    kept = change(Action.KEEP, wanted=want(), existing=have(1, title="Twitch", status=False))
    assert kept.differences == ("title", "status")
    assert change(Action.CREATE, wanted=want()).differences == ()
    assert change(Action.DELETE, existing=have(1)).differences == ()
