"""A list is read to its end, and not from what a cache has kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import pytest

from restream_async import MalformedResponseError, Origin, OutcomeUnknownError
from restream_async._http.response_headers import is_from_cache
from restream_async._operations.listing import Listing
from restream_async._retry.deadline import Deadline, Stop
from restream_async.testing import instant_clock
from tests.helpers.client_calls import created_by, failure_of
from tests.helpers.in_memory_service import Backend, in_memory_client
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


NEW: Final = new_restream()
PATH: Final = "/api/v1/p1/live-video/v1/restreams"


def page(number: int, *ids: int, pages: int = 2, count: int = 3) -> bytes:
    return answer(
        envelope(
            {
                "currentPage": number,
                "totalPages": pages,
                "pageSize": 2,
                "totalCount": count,
                "items": [on_the_wire(NEW, each) for each in ids],
            }
        )
    )


def targets(server: RawServer) -> list[str]:
    return [seen.path for seen in server.requests if seen.method == "GET"]


async def test_the_last_list_of_a_stopped_call_takes_two_seconds_at_most() -> None:
    backend, stop = Backend(), Stop()
    client = in_memory_client(backend)
    stop.request()
    deadline = Deadline(client.executor.clock.now, 60.0, stop=stop)
    assert await client.creator.listing.read_finally("v1", deadline) == []
    assert backend.timeouts == pytest.approx([2.0])


async def test_a_list_in_pages_is_read_to_its_end() -> None:
    async with (
        RawServer(get=[page(1, 1, 2), page(2, 3)]) as server,
        leak_checked_client(server) as client,
    ):
        restreams = await client.list("v1")

    assert [restream.id for restream in restreams] == [1, 2, 3]
    assert targets(server)[1].partition("?")[2] == "page=2&take=2"


async def test_a_restream_that_is_shown_without_its_video_id_gets_that_of_the_list() -> None:
    shown = {**on_the_wire(NEW, 7), "videoId": ""}
    async with RawServer(get=listed(shown)) as server, leak_checked_client(server) as client:
        [restream] = await client.list("v1")
        assert restream.video_id == "v1"
        assert await client.set_status(restream, NEW.status) == restream


async def test_a_list_of_no_pages_is_empty() -> None:
    empty = page(1, pages=0, count=0)
    async with RawServer(get=empty) as server, leak_checked_client(server) as client:
        assert await client.list("v1") == []
    assert len(targets(server)) == 1


async def test_pages_may_be_counted_from_zero() -> None:
    async with (
        RawServer(get=[page(0, 1, 2), page(1, 3)]) as server,
        leak_checked_client(server) as client,
    ):
        assert len(await client.list("v1")) == 3


async def test_a_page_that_fails_is_asked_for_again_with_all_before_it() -> None:
    get = [page(1, 1, 2), INTERNAL_ERROR, page(1, 1, 2), page(2, 3)]
    async with RawServer(get=get) as server, leak_checked_client(server) as client:
        assert len(await client.list("v1")) == 3


@pytest.mark.parametrize(
    ("get", "problem"),
    [
        # It changed while it was read.
        ([page(1, 1, 2), page(2, 2)], "page 2 shows nothing new"),
        ([page(1, 1, 2), page(2, 3, 4)], "4 of 3 restreams are shown"),
        ([page(1, 1, 2), page(2, 3, count=4)], "the pages changed at page 2"),
        # It never ends.
        ([page(1, 1, 2, pages=10**9), page(2, pages=10**9)], "page 2 shows nothing new"),
        # It does not know of pages.
        (page(1, 1, 2), "the pages changed at page 2"),
        # It shows less than it has.
        (page(1, 1, pages=1), "1 of 3 restreams are shown"),
    ],
)
async def test_a_list_that_is_not_read_to_its_end_is_inconclusive(
    get: bytes | list[bytes], problem: str
) -> None:
    async with RawServer(get=get) as server, leak_checked_client(server, attempts=1) as client:
        error = await failure_of(client.list("v1"), MalformedResponseError)
    assert problem in str(error)


async def test_a_creation_is_found_on_a_later_page() -> None:
    other = {**on_the_wire(new_restream(stream_key="another"), 1)}
    first = envelope({"currentPage": 1, "totalPages": 2, "items": [other]})
    second = envelope({"currentPage": 2, "totalPages": 2, "items": [on_the_wire(NEW, 9)]})
    async with (
        RawServer(post=INTERNAL_ERROR, get=[answer(first), answer(second)]) as server,
        leak_checked_client(server) as client,
    ):
        outcome = await created_by(client, NEW)
    assert (outcome.restream.id, outcome.origin) == (9, Origin.CONFIRMED)


async def test_every_list_call_asks_for_an_uncached_answer() -> None:
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        await client.list("v1")
    assert server.requests[0].headers["cache-control"] == "no-cache"
    assert targets(server) == [server.requests[0].path]
    assert "?" not in server.requests[0].path


CACHED: Final = answer(envelope([]), headers={"Age": "1"})


async def test_every_existence_check_is_a_new_one_to_caches() -> None:
    """Not every cache says that it answered: nginx by default does not."""
    post = [INTERNAL_ERROR, INTERNAL_ERROR, created()]
    async with RawServer(post=post, get=listed()) as server, leak_checked_client(server) as client:
        await client.create(NEW)
    queries = [target.partition("?")[2] for target in targets(server)]
    assert len(queries) == len(set(queries)) == 2
    assert all(query.startswith("_=") for query in queries)


async def test_no_two_clients_have_the_same_queries() -> None:
    paths: set[str] = set()
    for seed in (1, 2):
        backend = Backend()
        client = in_memory_client(backend)
        executor = attrs.evolve(client.executor, clock=instant_clock(seed))
        listing = Listing(executor, client.api, uncached=True)
        await listing.read("v1", executor.begin_call())
        paths.add(backend.sent[0].path)

    assert len(paths) == 2


async def test_an_answer_from_a_cache_is_asked_for_again_past_the_cache() -> None:
    async with (
        RawServer(get=[CACHED, listed(on_the_wire(NEW, 9))]) as server,
        leak_checked_client(server) as client,
    ):
        restreams = await client.list("v1")
        await client.list("v1")

    assert [restream.id for restream in restreams] == [9]
    first, second, third = (target.partition("?")[2] for target in targets(server))
    assert first == ""
    # From then on each call is a new one to every cache.
    assert second.startswith("_=")
    assert third.startswith("_=")
    assert second != third


async def test_a_cache_that_cannot_be_passed_leaves_the_outcome_unknown() -> None:
    async with (
        RawServer(post=INTERNAL_ERROR, get=CACHED) as server,
        leak_checked_client(server, attempts=3) as client,
    ):
        await failure_of(client.create(NEW), OutcomeUnknownError)
    assert server.counts["POST"] == 1


async def test_a_list_without_the_restream_that_was_just_created_is_asked_for_again() -> None:
    extra = [on_the_wire(NEW, number) for number in (7, 8)]
    get = [listed(), listed(), listed(*extra)]
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=get) as server,
        leak_checked_client(server) as client,
    ):
        report = await client.create_all([NEW])

    assert report.unchecked == 0
    assert [duplicate.extra for duplicate in report.duplicates] == [(8,)]
    assert "?_=" in targets(server)[-1]


async def test_a_list_that_stays_without_it_leaves_it_unchecked() -> None:
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=listed()) as server,
        leak_checked_client(server) as client,
    ):
        report = await client.create_all([NEW])
    assert report.unchecked == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Age": "0"}, False),
        ({"Age": "0", "X-Varnish": "32770"}, False),
        ({"X-Cache": "MISS from proxy"}, False),
        ({"Cache-Status": "Edge; fwd=miss"}, False),
        ({"Age": "3"}, True),
        ({"Age": "0", "X-Varnish": "32773 32771"}, True),
        ({"X-Cache": "Hit from cloudfront"}, True),
        ({"X-Cache": "MISS, HIT"}, True),
        ({"X-Cache": "TCP_HIT from x"}, True),
        ({"X-Cache-Status": "HIT"}, True),
        ({"CF-Cache-Status": "HIT"}, True),
        ({"X-Proxy-Cache": "WHITE"}, False),
        ({"Cache-Status": "Edge; hit; ttl=30"}, True),
    ],
)
def test_caches_say_when_they_answer(headers: Mapping[str, str], expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_from_cache(headers) is expected
