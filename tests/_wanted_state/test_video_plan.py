"""A plan over a service in memory: it says what an apply would do, and does nothing."""

from restream_async import Action
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.wanted_states import (
    apply_of,
    changes_of,
    have,
    plan_of,
    short,
    want,
)


async def test_it_says_what_an_apply_does_and_sends_one_list_for_each_video() -> None:
    backend = Backend()
    for new in (want("old"), want("b", title="B"), want("b", title="B"), want("x", title="X")):
        backend.add(new)
    wanted = [want("new"), want("b", title="B", status=False), want("c", video="v2")]
    client = in_memory_client(backend)
    changes = await changes_of(plan_of(client, wanted, rotate=True, prune=True))
    assert short(changes) == [
        "rotate new #1",
        "disable b #2",
        "delete b #3 duplicate",
        "delete #4",
        "create c",
    ]
    assert [request.method for request in backend.sent] == ["GET", "GET"]
    made = await changes_of(apply_of(client, wanted))
    assert [change.action for change in made] == [change.action for change in changes]


async def test_it_says_what_would_need_an_option() -> None:
    backend = Backend()
    for new in (want("old"), want("x", title="X")):
        backend.add(new)
    changes = await changes_of(plan_of(in_memory_client(backend), [want("new")]))
    assert [change.needs for change in changes] == ["rotate", "prune"]
    assert [change.is_in_sync for change in changes] == [False, True]


async def test_a_video_that_cannot_be_read_has_an_error_on_each_wanted_restream() -> None:
    backend = Backend()
    backend.meets("GET", Fate.NOT_ALLOWED)
    changes = await changes_of(plan_of(in_memory_client(backend), [want("a"), want("b")]))
    assert short(changes) == ["keep a ApiError", "keep b ApiError"]


async def test_a_list_never_comes_from_a_cache() -> None:
    backend = Backend()
    await changes_of(plan_of(in_memory_client(backend), [want()]))
    [request] = backend.sent
    assert "?_=" in request.path


async def test_a_service_that_shows_a_masked_key_is_not_told_to_create_it() -> None:
    backend = Backend()
    backend.stored.append(have(1, stream_key="****"))
    [change] = await changes_of(plan_of(in_memory_client(backend), [want()]))
    assert (change.action, change.is_unclear) == (Action.KEEP, True)
