"""Failures that a test plans: which request meets them, what it gets, and what is still to come."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.polling import until
from tests.helpers.sandbox_client import SandboxClient, open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from restream_async.sandbox.planned_failures import CallName


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[SandboxClient]:
    async with open_client(sandbox) as client:
        yield client


async def status_of(client: SandboxClient, method: str, path: str, **options: Any) -> int:  # noqa: ANN401 - aiohttp's
    async with client.session.request(method, client.root + path, **options) as response:
        return response.status


async def test_the_next_request_fails_and_all_after_it_succeed(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(503)

    assert await client.outcome_of_create() == "page"
    assert sandbox.stored == ()
    assert await client.outcome_of_create() == "201"
    assert sandbox.counts.faults.before == {Fault.BACKEND_FETCH_FAILED: 1}


async def test_the_answer_of_the_next_request_with_an_effect_is_lost(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(Fault.RESET, after_effect=True)

    assert (await client.list("v1")).status == 200, "a list has no effect"
    assert await client.outcome_of_create() == "reset"
    assert len(sandbox.stored) == 1
    assert sandbox.counts.faults.after == {Fault.RESET: 1}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 504])
async def test_a_status_comes_in_the_envelope_of_the_service(
    client: SandboxClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.fail_next(status)

    answer = await client.create()

    assert answer.status == answer.envelope["statusCode"] == status
    assert answer.envelope["success"] is False
    assert sandbox.stored == ()


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        ("list", "GET", "/live-video/v1/restreams"),
        ("toggle", "PUT", "/restreams/1/toggle"),
        ("delete", "DELETE", "/restreams/1"),
    ],
)
@pytest.mark.parametrize("video_id", [None, "v1"])
async def test_only_the_call_that_is_named_fails(
    client: SandboxClient,
    sandbox: Sandbox,
    call: CallName,
    method: str,
    path: str,
    video_id: str | None,
) -> None:
    sandbox.fail_next(502, call=call, video_id=video_id)

    assert (await client.create()).status == 201
    [before] = sandbox.stored
    assert await status_of(client, method, path) == 502
    assert list(sandbox.stored) == [before], "nothing was done"
    assert await status_of(client, method, path) == 200
    assert sandbox.counts.faults.total == 1


@pytest.mark.parametrize(
    ("method", "path", "left"),
    [("PUT", "/restreams/1/toggle", [False]), ("DELETE", "/restreams/1", [])],
)
async def test_a_change_is_made_before_its_answer_is_lost(
    client: SandboxClient, sandbox: Sandbox, method: str, path: str, left: list[bool]
) -> None:
    await client.create()
    sandbox.fail_next(500, after_effect=True)

    assert await status_of(client, method, path) == 500
    assert [stored.status for stored in sandbox.stored] == left
    assert sandbox.counts.faults.other == {Fault.INTERNAL_ERROR: 1}


async def test_only_requests_of_the_video_that_is_named_fail(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(500, video_id="v2", times=4)

    assert (await client.create("v1")).status == 201
    assert (await client.toggle(1)).status == (await client.list("v1")).status == 200
    assert (await client.create("v2")).status == (await client.list("v2")).status == 500
    assert (await client.create("v2")).status == (await client.create("v2")).status == 500
    second = (await client.create("v2")).result["id"]
    sandbox.fail_next(500, video_id="v2", times=2)
    assert (await client.toggle(second)).status == (await client.delete(second)).status == 500


async def test_requests_meet_them_in_the_order_of_planning(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(500, call="create", times=2)
    sandbox.fail_next(403)
    sandbox.fail_next(404, call="list")

    assert (await client.list("v1")).status == 403
    assert [(await client.create()).status for _ in range(3)] == [500, 500, 201]
    assert [(await client.list("v1")).status for _ in range(2)] == [404, 200]


async def test_they_come_before_random_faults_and_count_among_those_in_a_row(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0}, max_faults=2)
    sandbox.fail_next(409)

    assert [(await client.create()).status for _ in range(3)] == [409, 500, 201]


async def test_a_request_that_is_refused_anyway_uses_up_none(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(500)

    wrong_key = {"Authorization": "wrong"}
    assert await status_of(client, "GET", "/live-video/v/restreams", headers=wrong_key) == 401
    assert (await client.create(title="")).status == 400
    assert (await client.toggle(7)).status == (await client.delete(7)).status == 404
    sandbox.outage = True
    assert await client.outcome_of_create() == "page"
    sandbox.outage = False
    assert (await client.create()).status == 500


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize(("retry_after", "sent"), [(None, "5"), (7, "7"), ("soon", "soon")])
async def test_it_says_when_to_try_again(
    client: SandboxClient, sandbox: Sandbox, status: int, retry_after: str | int | None, sent: str
) -> None:
    sandbox.fail_next(status, retry_after=retry_after)

    async with client.session.get(f"{client.root}/live-video/v/restreams") as response:
        assert (response.status, response.headers["Retry-After"]) == (status, sent)


@pytest.mark.parametrize("failure", [Fault.HANG, 500])
async def test_it_may_take_time_to_arrive(
    sandbox: Sandbox, client: SandboxClient, failure: Fault | int
) -> None:
    sandbox.fail_next(failure, latency=60.0, after_effect=True)

    creating = asyncio.create_task(client.create())
    await until(lambda: len(sandbox.stored) == 1)
    assert not creating.done()
    creating.cancel()
    await asyncio.wait([creating])


async def test_a_short_hang_ends_with_the_page(client: SandboxClient, sandbox: Sandbox) -> None:
    sandbox.fail_next(Fault.HANG, latency=0.001)

    assert await client.outcome_of_create() == "page"


async def test_what_is_still_to_come_is_shown_and_can_be_forgotten(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.fail_next(503, times=3, after_effect=True)
    sandbox.fail_next(Fault.HANG, call="list", video_id="v2")
    assert await client.outcome_of_create() == "page"

    assert [str(failure) for failure in sandbox.pending_failures] == [
        "BACKEND_FETCH_FAILED at the next request after its effect (2 times)",
        "HANG at the next list of video 'v2'",
    ]
    sandbox.clear_failures()
    assert not sandbox.pending_failures
    assert await client.outcome_of_create() == "201"


def test_a_status_is_told_with_its_phrase(sandbox: Sandbox) -> None:
    sandbox.fail_next(429)

    [failure] = sandbox.pending_failures
    assert failure.kind is HTTPStatus.TOO_MANY_REQUESTS
    assert str(failure) == "429 Too Many Requests at the next request"


async def test_a_sandbox_in_a_thread_of_its_own_fails_too() -> None:
    with Sandbox() as sandbox:
        sandbox.fail_next(500)
        assert len(sandbox.pending_failures) == 1
        sandbox.clear_failures()
        assert not sandbox.pending_failures


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"failure": 200}, "a failure is a Fault, or a status from 400 to 599, not 200"),
        ({"failure": 599}, "a failure is a Fault, or a status from 400 to 599, not 599"),
        ({"failure": "reset"}, "a failure is a Fault, .* not 'reset'"),
        ({"call": "post"}, "call must be None or one of 'create', .* not 'post'"),
        ({"times": 0}, "times must be >= 1, not 0"),
        ({"call": "list", "after_effect": True}, "after_effect: a list has no effect"),
        ({"failure": 429, "after_effect": True}, "after_effect: 429 means that nothing was done"),
        ({"failure": 500, "retry_after": 5}, "retry_after: only a 503 page and a 429 have it"),
        ({"retry_after": "\n"}, "retry_after must be printable ASCII"),
        ({"latency": -1}, "latency must be a finite number of seconds >= 0, not -1"),
    ],
)
def test_values_that_cannot_be_are_refused(
    sandbox: Sandbox, options: dict[str, Any], problem: str
) -> None:
    values: dict[str, Any] = {"failure": 503, **options}
    with pytest.raises(ValueError, match=f"^{problem}"):
        sandbox.fail_next(**values)
    assert not sandbox.pending_failures
