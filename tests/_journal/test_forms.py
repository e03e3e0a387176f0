"""A list that shows less than was sent: what cannot be seen is not created again."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, TypeAlias

import attrs
import pytest

from restream_async import NewRestream, Origin, OutcomeUnknownError
from restream_async._operations.create_options import CHECK_FIRST
from restream_async._operations.create_result import CreateFailed
from restream_async.models import Failed
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from restream_async._http.messages import Request

Fields: TypeAlias = dict[str, object]


def wanted(number: int) -> NewRestream:
    return NewRestream(
        video_id=f"v{number % 50}",
        title="YouTube",
        stream_url=f"rtmps://Live{number % 2}.example/app",
        stream_key=f"{number:05}-stream-key-{number:05}",
        status=True,
    )


def masked(fields: Fields) -> Fields:
    return {**fields, "streamKey": f"****{str(fields['streamKey'])[-4:]}"}


def starred(fields: Fields) -> Fields:
    return {**fields, "streamKey": "********"}


def left_out(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "streamKey"}


def hashed(fields: Fields) -> Fields:
    key = str(fields["streamKey"]).encode()
    return {**fields, "streamKey": hashlib.sha256(key).hexdigest()}


def tidied(fields: Fields) -> Fields:
    return {**fields, "streamUrl": f"{str(fields['streamUrl']).lower()}/"}


@pytest.mark.parametrize("show", [masked, starred, left_out, tidied])
async def test_nothing_is_created_twice(show: Callable[[Fields], Fields]) -> None:
    chance = random.Random(1)  # noqa: S311 - which answers are lost

    def choose(request: Request) -> Fate:
        lost = request.method == "POST" and chance.random() < 0.1
        return Fate.LOST_AFTER if lost else Fate.DONE

    backend = Backend()
    backend.show = show
    backend.choose = choose
    client = in_memory_client(backend)
    requests = [wanted(number) for number in range(300)]
    async with client.run(*requests) as run:
        report = await run.report()

    assert max(backend.copies.values()) == 1
    assert len(report.created) + len(report.failed) == 300
    assert all(isinstance(failed.error, OutcomeUnknownError) for failed in report.failed)
    # Before a first list has shown the form, nothing is known of what was there before.
    assert len(report.failed) <= 8
    assert client.creator.existence.forms == (("streamUrl",) if show is tidied else ("streamKey",))


async def test_a_creation_is_found_by_what_was_not_there_before() -> None:
    backend = Backend()
    backend.show = starred
    backend.add(wanted(1))
    client = in_memory_client(backend)
    async with client.run(wanted(1), ensure=True) as run:
        first = await run.report()
    backend.meets("POST", Fate.LOST_AFTER)
    another = NewRestream(
        video_id="v1",
        title="YouTube",
        stream_url=wanted(1).stream_url,
        stream_key="another-key",
        status=True,
    )
    async with client.run(another) as run:
        second = await run.report()

    assert isinstance(first.failed[0], Failed)
    assert [item.origin for item in second.created] == [Origin.CONFIRMED]
    assert len(backend.stored) == 2


async def test_hashed_keys_are_noticed_by_known_ids() -> None:
    backend = Backend()
    backend.show = hashed
    client = in_memory_client(backend)
    async with client.run(*map(wanted, range(0, 100, 50))) as run:
        await run.report()
    backend.meets("POST", Fate.LOST_AFTER)
    async with client.run(wanted(100)) as run:
        report = await run.report()

    assert isinstance(report.failed[0].error, OutcomeUnknownError)
    assert max(backend.copies.values()) == 1


async def test_copies_that_cannot_be_told_apart_stay_unchecked() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    client = in_memory_client(backend)
    async with client.run(wanted(1), repair=True) as run:
        await anext(run)
        backend.show = starred
        report = await run.report()

    assert report.unchecked == 1
    assert backend.count("DELETE") == 0


async def test_one_that_ended_in_doubt_stays_a_rival_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With keys left out, the only late restream may be its own."""
    monkeypatch.setattr("restream_async._operations.turns._MOST_UNRESOLVED", 1)
    backend = Backend()
    client = in_memory_client(backend, attempts=1)
    creator, caller = client.creator, client.executor
    for number in (51, 50):
        backend.meets("POST", Fate.LOST_AFTER)
        backend.meets("GET", Fate.LOST_BEFORE)
        assert isinstance(await creator.create(wanted(number), caller.begin_call()), CreateFailed)
    assert creator.turns.has_rivals(wanted(100))
    assert not creator.turns.has_rivals(wanted(50)), "it is no rival of itself"
    assert not creator.turns.has_rivals(wanted(101)), "only so many are remembered"
    await creator.create(wanted(50), caller.begin_call(), CHECK_FIRST)
    assert not creator.turns.has_rivals(wanted(100))


async def test_urls_that_are_equal_as_urls_are_one_restream_for_repairs_too() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE)
    first = NewRestream(
        video_id="v1",
        title="YouTube",
        stream_url="rtmps://live.example/app",
        stream_key="key",
        status=True,
    )
    second = attrs.evolve(first, stream_url="rtmps://live.example/app/")
    async with in_memory_client(backend).run(first, second, repair=True) as run:
        report = await run.report()
    assert len(backend.stored) == 1
    assert {item.restream.id for item in report.created} == {backend.stored[0].id}
    assert report.duplicates == ()
