from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.sandbox.token_bucket import TokenBucket
from tests.helpers.sandbox_client import SandboxClient, create_body, open_client

if TYPE_CHECKING:
    from collections.abc import Callable


async def statuses(client: SandboxClient, count: int) -> Counter[str]:
    return Counter([await client.outcome_of_create(f"v{number}") for number in range(count)])


async def retry_after(client: SandboxClient) -> str | None:
    async with client.session.post(f"{client.root}/restreams", json=create_body()) as response:
        assert response.status == 429
        assert await response.json() == {
            "success": False,
            "errors": ["Too Many Requests"],
            "messages": [],
            "result": None,
            "resultInfo": None,
            "statusCode": 429,
        }
        return response.headers.get("Retry-After")


def test_a_bucket_begins_full_and_fills_as_fast_as_the_limit_says() -> None:
    limit = TokenBucket(4.0, 2)

    assert [limit.take(10.0) for _ in range(4)] == [0.0, 0.0, 0.25, 0.25]
    assert limit.take(10.125) == 0.125
    assert [limit.take(10.25), limit.take(10.25)] == [0.0, 0.25]
    assert [limit.take(99.0) for _ in range(3)] == [0.0, 0.0, 0.25], "no more than the burst"


@pytest.mark.parametrize(("rate", "burst"), [(60.0, 60), (2.5, 2), (0.5, 1)])
def test_without_a_burst_a_second_is_allowed_at_once_and_at_least_one(
    rate: float, burst: int
) -> None:
    limit = TokenBucket(rate, None)
    taken = 0
    while not limit.take(0.0):
        taken += 1
    assert taken == burst


def test_a_client_that_waits_exactly_as_long_as_told_gets_a_token() -> None:
    limit, now = TokenBucket(3.0, 1), 0.1
    for _ in range(1000):
        assert not limit.take(now)
        now += limit.take(now)


async def test_a_request_above_the_limit_gets_a_429_and_has_no_effect() -> None:
    sandbox = Sandbox(rate_limit=0.001, burst=2)
    async with open_client(sandbox) as client:
        assert await statuses(client, 5) == {"201": 2, "429": 3}

    assert [stored.video_id for stored in sandbox.stored] == ["v0", "v1"]
    assert (sandbox.counts.posts, sandbox.counts.limited, sandbox.counts.shed) == (5, 3, 0)


async def test_every_kind_of_request_counts_for_the_limit() -> None:
    sandbox = Sandbox(rate_limit=0.001, burst=3)
    async with open_client(sandbox) as client:
        await client.create()
        await client.list("v1")
        await client.toggle(1)
        assert (await client.delete(1)).status == 429
        assert (await client.list("v1")).status == 429


@pytest.mark.parametrize(
    ("setting", "header"), [("exact", "4"), ("60", "60"), (None, None)], ids=str
)
async def test_has_the_retry_after_that_was_set(setting: str | None, header: str | None) -> None:
    # A token takes 4 s; how much of the first is over when the second request comes is rounded up.
    sandbox = Sandbox(rate_limit=0.25, rate_limit_retry_after=setting)
    async with open_client(sandbox) as client:
        await client.create()
        assert await retry_after(client) == header


async def test_by_default_a_429_has_the_exact_retry_after() -> None:
    async with open_client(Sandbox(rate_limit=0.25)) as client:
        await client.create()
        assert await retry_after(client) == "4"


async def test_takes_as_long_as_any_response() -> None:
    loop = asyncio.get_running_loop()
    sandbox = Sandbox(rate_limit=0.001, latency=0.02)
    async with open_client(sandbox) as client:
        await client.create()
        started = loop.time()
        assert await client.outcome_of_create() == "429"

    assert loop.time() - started >= 0.02


async def test_a_limited_request_takes_no_slot() -> None:
    sandbox = Sandbox(rate_limit=0.001, burst=1, capacity=1, latency=0.05)
    async with open_client(sandbox) as client:
        outcomes = await asyncio.gather(
            *(client.outcome_of_create(f"v{number}") for number in range(4))
        )

    assert Counter(outcomes) == {"201": 1, "429": 3}


async def test_an_outage_comes_before_the_limit() -> None:
    sandbox = Sandbox(rate_limit=0.001)
    sandbox.outage = True
    async with open_client(sandbox) as client:
        assert await statuses(client, 2) == {"page": 2}
        sandbox.outage = False
        assert await client.outcome_of_create() == "201"


async def test_the_limit_may_be_replaced_and_begins_with_a_full_burst() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        assert await statuses(client, 5) == {"201": 5}
        sandbox.rate_limit = 0.001
        assert await statuses(client, 3) == {"201": 1, "429": 2}
        sandbox.rate_limit = 3.0
        assert await statuses(client, 3) == {"201": 3}
        sandbox.rate_limit = 0.001
        sandbox.burst = 2
        assert await statuses(client, 3) == {"201": 2, "429": 1}
        sandbox.rate_limit_retry_after = "7"
        assert sandbox.rate_limit_retry_after == "7"
        assert await retry_after(client) == "7"
        sandbox.rate_limit = None
        assert await statuses(client, 5) == {"201": 5}

    assert (sandbox.rate_limit, sandbox.burst) == (None, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate_limit": 0.0}, "rate_limit must be None or a number above 0, not 0.0"),
        ({"rate_limit": float("inf")}, "rate_limit must be None or a number above 0, not inf"),
        ({"rate_limit": 1.0, "burst": 0}, "burst must be None or >= 1, not 0"),
        ({"list_latency": -1.0}, "list_latency must be >= 0 seconds, not -1.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sandbox(**settings)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_lists_may_have_a_latency_of_their_own() -> None:
    drawn: list[str] = []

    def drawing(name: str) -> Callable[[object], float]:
        def draw(random: object) -> float:
            del random
            drawn.append(name)
            return 0.001

        return draw

    sandbox = Sandbox(latency=drawing("usual"), list_latency=drawing("list"))
    async with open_client(sandbox) as client:
        await client.create()
        await client.list("v1")
        await client.toggle(1)
        sandbox.list_latency = None
        await client.list("v1")

    assert drawn == ["usual", "list", "usual", "usual"]
    assert sandbox.list_latency is None


async def test_a_limited_request_meets_no_fault() -> None:
    sandbox = Sandbox(rate_limit=0.001, faults=Faults(before={Fault.INTERNAL_ERROR: 1.0}))
    async with open_client(sandbox) as client:
        assert [await client.outcome_of_create() for _ in range(2)] == ["500", "429"]
    assert sandbox.counts.faults.total == 1
