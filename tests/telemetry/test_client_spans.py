"""Spans of a client of the real sandbox, read back through the SDK."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from restream_async import NewRestream, RestreamClient, RestreamError, RetryPolicy
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock
from tests.helpers.recorded_telemetry import RecordedTelemetry, attributes, is_child, trace_id, tree
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

POST: Final = "POST /api/v1/{projectId}/restreams"
LIST: Final = "GET /api/v1/{projectId}/live-video/{videoId}/restreams"


def lost(**faults: Any) -> Faults:  # noqa: ANN401 - of Faults
    return Faults(retry_after=None, **faults)


def one(spans: list[ReadableSpan]) -> ReadableSpan:
    [span] = spans
    return span


async def test_a_creation_and_its_attempt(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with recorded.tracer.start_as_current_span("caller") as caller:
            await client.create(new_restream("v7"))

    creation, attempt = one(recorded.named("restream.create")), one(recorded.named(POST))
    assert creation.parent == caller.get_span_context()
    assert creation.kind is SpanKind.INTERNAL
    assert attributes(creation) == {
        "restream.video_id": "v7",
        "restream.origin": "posted",
        "restream.attempts": 1,
    }
    assert is_child(attempt, creation)
    assert attempt.name == POST
    assert attempt.kind is SpanKind.CLIENT
    assert attributes(attempt) == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "server.address": "127.0.0.1",
        "server.port": int(sandbox.base_url.rpartition(":")[2]),
        "url.template": "/api/v1/{projectId}/restreams",
    }
    assert {span.status.status_code for span in recorded.spans} == {StatusCode.UNSET}


async def test_a_lost_answer(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.faults = lost(after={Fault.BACKEND_FETCH_FAILED: 1.0})
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())

    assert tree(recorded.spans) == [
        "restream.create",
        "restream.create > POST",
        "restream.create > restream.check",
        "restream.create > restream.check > GET",
    ]
    creation, post, check, _ = recorded.spans
    assert attributes(post)["error.type"] == "503"
    assert post.status.status_code is StatusCode.ERROR
    assert (post.status.description or "").startswith("503 Backend fetch failed")
    assert attributes(check) == {"restream.check.result": "found"}
    assert attributes(creation)["restream.origin"] == "confirmed"
    assert creation.status.status_code is StatusCode.UNSET


async def test_a_retry(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.faults = lost(before={Fault.INTERNAL_ERROR: 1.0}, max_faults=2)
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(new_restream())

    posts = recorded.named(POST)
    assert [attributes(post).get("http.request.resend_count") for post in posts] == [None, 1, 2]
    assert [attributes(post).get("error.type") for post in posts] == ["500", "500", None]
    checks = recorded.named("restream.check")
    assert [attributes(check)["restream.check.result"] for check in checks] == ["absent"] * 2
    assert attributes(recorded.spans[0])["restream.attempts"] == 3


async def test_a_list_that_is_sent_again(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.faults = lost(listing={Fault.TRUNCATED: 1.0}, max_faults=2)
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.list("v1")

    lists = recorded.named(LIST)
    assert [attributes(each).get("http.request.resend_count") for each in lists] == [None, 1, 2]
    assert attributes(lists[0])["error.type"] == "MalformedResponseError"
    assert attributes(lists[0])["http.response.status_code"] == 200


async def test_a_failed_check(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.faults = lost(before={Fault.INTERNAL_ERROR: 1.0})

    async def only_lists_fail() -> None:
        sandbox.faults = lost(listing={Fault.INTERNAL_ERROR: 1.0})

    clock = FastClock(meanwhile=only_lists_fail).as_clock()
    async with client_of(sandbox, telemetry=recorded.telemetry, clock=clock) as client:
        await client.create(new_restream())

    checks = recorded.named("restream.check")
    assert attributes(checks[0]) == {
        "restream.check.result": "failed",
        "error.type": "InternalServerError",
    }
    assert attributes(recorded.spans[0])["restream.maybe_duplicate"] is True


async def test_a_creation_that_fails(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry, api_key="wrong") as client:
        with pytest.raises(RestreamError):
            await client.create(new_restream())

    creation, attempt = recorded.spans
    assert attributes(attempt)["error.type"] == "401"
    assert attributes(creation)["error.type"] == "UnauthorizedError"
    assert "restream.origin" not in attributes(creation)
    assert creation.status.status_code is StatusCode.ERROR
    assert creation.status.description
    assert not [event for span in recorded.spans for event in span.events], "no exception raw"


async def test_a_creation_that_is_cancelled(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    sandbox.faults = lost(before={Fault.HANG: 1.0})
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.create(new_restream())

    assert [attributes(span)["error.type"] for span in recorded.spans] == ["CancelledError"] * 2


async def test_an_equal_creation_that_waits_in_vain(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.faults = lost(before={Fault.HANG: 1.0})
    retry = RetryPolicy(deadline=0.05)
    async with client_of(sandbox, telemetry=recorded.telemetry, retry=retry) as client:
        first = asyncio.create_task(client.create(new_restream()))
        await asyncio.sleep(0)
        with pytest.raises(RestreamError):
            await client.create(new_restream())
        first.cancel()
        await asyncio.wait([first])

    kinds = [attributes(span)["error.type"] for span in recorded.named("restream.create")]
    assert kinds == ["CancelledError", "AttemptTimeoutError"]


async def test_an_ensure_checks_in_its_own_trace(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.ensure(new_restream())
        await client.ensure(new_restream())

    assert tree(recorded.spans) == [
        "restream.create",
        "restream.create > restream.check",
        "restream.create > restream.check > GET",
        "restream.create > POST",
        "restream.create",
        "restream.create > restream.check",
        "restream.create > restream.check > GET",
    ]
    assert attributes(recorded.named("restream.create")[1])["restream.origin"] == "existing"


async def test_each_creation_of_a_bulk_run_is_a_trace_that_links_to_the_run(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    news = [new_restream(f"v{number}") for number in range(100)]
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with recorded.tracer.start_as_current_span("caller") as caller:
            await client.create_all(news)

    run = one(recorded.named("restream.create_many"))
    assert run.parent == caller.get_span_context()
    assert attributes(run) == {"restream.run.created": 100, "restream.run.failed": 0}
    creations = [span for span in recorded.spans if span.name == "restream.create"]
    assert len({trace_id(span) for span in creations}) == 100
    for creation in creations:
        assert creation.parent is None
        assert [link.context for link in creation.links] == [run.context]


async def test_the_tasks_of_a_run_do_not_take_the_context_of_another_call(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    """A call that frees a slot starts a worker task of the run."""
    async with client_of(sandbox, telemetry=recorded.telemetry, max_in_flight=2) as client:

        async def calls() -> None:
            with recorded.tracer.start_as_current_span("another call"):
                for number in range(30):
                    await client.create(new_restream(f"other{number}"))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(calls())
            await client.create_all([new_restream(f"v{number}") for number in range(60)])

    creations = [span for span in recorded.spans if span.name == "restream.create"]
    of_run = [span for span in creations if attributes(span)["restream.video_id"].startswith("v")]
    assert len(of_run) == 60
    assert all(span.links and span.parent is None for span in of_run)


async def test_a_run_that_is_left_with_an_exception(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.create_many([new_restream()]):
                raise ZeroDivisionError("may hold anything")

    run = one(recorded.named("restream.create_many"))
    assert attributes(run)["error.type"] == "ZeroDivisionError"
    assert run.status.description is None


async def test_a_run_that_cannot_begin(sandbox: Sandbox, recorded: RecordedTelemetry) -> None:
    client = client_of(sandbox, telemetry=recorded.telemetry)
    async with client:
        await client.drain()
        with pytest.raises(RestreamError):
            await client.create_all([new_restream()])

    assert attributes(one(recorded.spans))["error.type"] == "ClientClosedError"


async def test_each_video_of_an_apply_is_a_trace_that_links_to_the_run(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        async with client.plan([new_restream("v1")]) as plan:
            assert [change.video_id async for change in plan] == ["v1"]
        async with client.apply([new_restream("v1"), new_restream("v2")]) as run:
            assert [change.video_id async for change in run] == ["v1", "v2"]

    planned, applied = one(recorded.named("restream.plan")), one(recorded.named("restream.apply"))
    assert attributes(planned)["restream.run.create"] == 1
    assert attributes(applied)["restream.run.create"] == 2
    videos = recorded.named("restream.video")
    assert [attributes(video) for video in videos] == [
        {"restream.video_id": "v1"},
        {"restream.video_id": "v1"},
        {"restream.video_id": "v2"},
    ]
    links = [[link.context for link in video.links] for video in videos]
    assert links == [[planned.context], [applied.context], [applied.context]]
    creations = [span for span in recorded.spans if span.name == "restream.create"]
    assert all(any(is_child(each, video) for video in videos) for each in creations)
    assert not any(each.links for each in creations)


async def planned_within(client: RestreamClient, seconds: float) -> None:
    async with asyncio.timeout(seconds), client.plan([new_restream("v1")]) as plan:
        await anext(plan)


async def test_a_run_that_does_not_end_its_video(
    sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    sandbox.faults = lost(listing={Fault.HANG: 1.0})
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        with pytest.raises(TimeoutError):
            await planned_within(client, 0.05)

    assert attributes(one(recorded.named("restream.video")))["error.type"] == "CancelledError"
    assert attributes(one(recorded.named("restream.plan")))["error.type"] == "CancelledError"


@pytest.mark.parametrize("field", ["stream_key", "stream_url"])
async def test_a_video_id_that_repeats_a_secret_is_masked(
    field: str, sandbox: Sandbox, recorded: RecordedTelemetry
) -> None:
    new = {"title": "T", "stream_url": "rtmp://a.example/app/part-of-url", "stream_key": "the-key"}
    secret = {"stream_key": "the-key", "stream_url": "part-of-url"}[field]
    async with client_of(sandbox, telemetry=recorded.telemetry) as client:
        await client.create(NewRestream(video_id=f"v-{secret}", status=True, **new))

    assert attributes(recorded.spans[0])["restream.video_id"] == "v-***"
    assert secret not in recorded.texts()
