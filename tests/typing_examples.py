# pyright: reportUnnecessaryTypeIgnoreComment=true
"""How the public API is typed: mypy and pyright must accept every line of this. It never runs.

A line with an "ignore" shows a use that they must reject: an ignore that is not needed is an error
of its own.
"""

import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import assert_never, assert_type

import aiohttp
from yarl import URL

from restream_async import (
    Action,
    ApiError,
    AttemptTimeoutError,
    BackendFetchFailedError,
    BulkReport,
    Change,
    Created,
    Failed,
    InvalidRestreamError,
    MalformedResponseError,
    NewRestream,
    Origin,
    Outcome,
    OutcomeUnknownError,
    Restream,
    RestreamClient,
    RestreamError,
    RetryPolicy,
    TransportError,
)
from restream_async._bulk.run import BulkRun
from restream_async._util.clock import Clock
from restream_async._wanted_state.run import WantedStateRun
from restream_async.models import Toggled
from restream_async.stats import Stats

NEW = NewRestream(
    video_id="v1",
    title="YouTube",
    stream_url="rtmps://a.rtmps.youtube.com/live2",
    stream_key="abcd-1234",
    status=True,
)


def a_new_restream_has_types() -> None:
    assert_type(NEW.video_id, str)
    assert_type(NEW.title, str)
    assert_type(NEW.stream_url, str)
    assert_type(NEW.stream_key, str)
    assert_type(NEW.status, bool)


def a_new_restream_is_frozen_and_complete() -> None:
    NEW.title = "Twitch"  # type: ignore[misc]
    NewRestream(video_id="v1", title="t", stream_url="u", stream_key="k")  # type: ignore[call-arg]
    NewRestream("v1", "t", "u", "k", True)  # type: ignore[call-arg] # noqa: FBT003
    NewRestream(video_id=1, title="t", stream_url="u", stream_key="k", status=True)  # type: ignore[arg-type]
    NewRestream(video_id="v1", title="t", stream_url="u", stream_key="k", status="yes")  # type: ignore[arg-type]
    NewRestream(video_id="v1", title="t", stream_url="u", stream_key=None, status=True)  # type: ignore[arg-type]


def a_client_is_set_up_by_keywords(session: aiohttp.ClientSession) -> None:
    RestreamClient()
    RestreamClient(base_url="https://h", project_id="p", api_key="k", auth_scheme="Bearer")
    RestreamClient(timeout=5, retry=RetryPolicy(attempts=3, base=0.1, cap=1, deadline=10))
    RestreamClient(in_doubt="raise", max_in_flight=8, session=session, allow_http=True)
    RestreamClient(proxy="http://p:3128", trust_env=True, ssl=ssl.create_default_context())
    RestreamClient(proxy=URL("http://p:3128"), ssl=None)
    RestreamClient(api_key=os.environ.get("ANOTHER_KEY"), clock=Clock())

    RestreamClient("https://h")  # type: ignore[call-arg]
    RestreamClient(in_doubt="retry")  # type: ignore[arg-type]
    RestreamClient(timeout="30")  # type: ignore[arg-type]
    RestreamClient(max_in_flight=1.5)  # type: ignore[arg-type]
    RestreamClient(retry=5)  # type: ignore[arg-type]
    RestreamClient(url="https://h")  # type: ignore[call-arg]
    RetryPolicy(5)  # type: ignore[call-arg]
    RetryPolicy(attempts="5")  # type: ignore[arg-type]


async def calls_are_awaited(client: RestreamClient) -> None:
    created = await client.create(NEW)
    assert_type(created, Restream)
    assert_type(created.id, int | str)
    assert_type(created.status, bool)
    assert_type(await client.ensure(NEW), Restream)
    assert_type(await client.list("v1"), list[Restream])
    assert_type(await client.toggle(created.id), Toggled)
    assert_type((await client.toggle("r-7")).status, bool)
    assert_type(await client.set_status(created, on=True), Restream)
    assert_type(await client.delete(7), bool)
    assert_type(client.stats(), Stats)

    client.create(NEW).title  # type: ignore[attr-defined] # noqa: B018
    await client.create({"video_id": "v1"})  # type: ignore[arg-type]
    await client.create(created)  # type: ignore[arg-type]
    await client.list(7)  # type: ignore[arg-type]
    await client.delete(created)  # type: ignore[arg-type]
    created.title = "Twitch"  # type: ignore[misc]


async def a_client_is_a_context_manager() -> None:
    async with RestreamClient() as client:
        assert_type(client, RestreamClient)
    with RestreamClient():  # type: ignore[attr-defined]
        pass


def from_a_database() -> Iterator[NewRestream]:
    yield NEW


async def from_a_queue() -> AsyncIterator[NewRestream]:
    yield NEW


async def many_are_created_from_any_iterable(client: RestreamClient) -> None:
    assert_type(client.create_many([NEW]), BulkRun)
    client.create_many((NEW,))
    client.create_many({NEW})
    client.create_many(from_a_database())
    client.create_many(from_a_queue())
    client.create_many([], journal="run.db")
    client.create_many([], journal=Path("run.db"), repair=True, ensure=True, repeats="create")

    client.create_many(NEW)  # type: ignore[arg-type]
    client.create_many(["v1"])  # type: ignore[list-item]
    client.create_many(from_a_queue)  # type: ignore[arg-type]
    client.create_many([], "run.db")  # type: ignore[call-arg]
    client.create_many([], repeats="skip")  # type: ignore[arg-type]


async def outcomes_are_one_of_two(client: RestreamClient) -> None:
    async with client.create_many([NEW], journal="run.db") as run:
        assert_type(run, BulkRun)
        async for outcome in run:
            assert_type(outcome, Outcome)
            assert_type(outcome, Created | Failed)
            assert_type(outcome.index, int)
            assert_type(outcome.request, NewRestream)
            assert_type(outcome.attempts, int)
            outcome.restream  # type: ignore[union-attr] # noqa: B018
            match outcome:
                case Created(restream=restream, origin=origin, maybe_duplicate=maybe):
                    assert_type(restream, Restream)
                    assert_type(origin, Origin)
                    assert_type(maybe, bool)
                case Failed(error=error):
                    assert_type(error, RestreamError)
                case _:
                    assert_never(outcome)
        for _ in run:  # type: ignore[attr-defined]
            pass


def an_origin_is_one_of_four(origin: Origin) -> str:
    match origin:
        case Origin.POSTED | Origin.CONFIRMED:
            return "created now"
        case Origin.EXISTING:
            return "there before"
        case Origin.JOURNAL:
            return "created by an earlier run"


async def all_at_once_are_a_report(client: RestreamClient) -> None:
    report = await client.create_all([NEW], journal="run.db", repair=True)
    assert_type(report, BulkReport)
    assert_type(report.created, tuple[Created, ...])
    assert_type(report.failed, tuple[Failed, ...])
    assert_type(report.counts.failed, Mapping[str, int])
    assert_type([extra for copies in report.duplicates for extra in copies.extra], list[int | str])
    try:
        report.raise_for_failures()
    except* RestreamError as group:
        assert_type(group, ExceptionGroup[RestreamError])


async def changes_come_from_a_plan_and_from_an_apply(client: RestreamClient) -> None:
    assert_type(client.plan([NEW]), WantedStateRun)
    client.plan(from_a_database(), rotate=True, prune=True)
    client.plan(from_a_queue())
    client.apply([NEW], rotate=True, prune=True, journal=Path("apply.db"))
    async with client.apply([NEW], journal="apply.db") as run:
        assert_type(run.videos, int)
        assert_type(run.done, int)
        assert_type(run.counts.create, int)
        async for change in run:
            assert_type(change, Change)
            assert_type(change.wanted, NewRestream | None)
            assert_type(change.existing, Restream | None)
            assert_type(change.error, RestreamError | None)
            assert_type(change.is_in_sync, bool)
        run.stop()

    client.plan([NEW], True)  # type: ignore[call-arg] # noqa: FBT003
    client.plan([NEW], journal="plan.db")  # type: ignore[call-arg]
    client.apply(["v1"])  # type: ignore[list-item]
    for _ in client.plan([NEW]):  # type: ignore[attr-defined]
        pass


def an_action_is_one_of_six(action: Action) -> str:
    match action:
        case Action.CREATE | Action.ENABLE | Action.DISABLE | Action.ROTATE:
            return "wanted"
        case Action.DELETE:
            return "not wanted"
        case Action.KEEP:
            return "done"


async def errors_say_what_they_know(client: RestreamClient) -> None:
    try:
        await client.create(NEW)
    except BackendFetchFailedError as error:
        assert_type(error.retry_after, float | None)
    except ApiError as error:
        assert_type(error.status, int)
        assert_type(error.errors, tuple[object, ...])
        assert_type(error.messages, tuple[object, ...])
        assert_type(error.attempts, int)
        error.errors[0].upper()  # type: ignore[attr-defined]
    except AttemptTimeoutError as error:
        os_error: TimeoutError = error
        assert_type(error.sent, bool)
        del os_error
    except TransportError as error:
        assert_type(error.detail, str)
    except MalformedResponseError as error:
        assert_type(error.problem, str)
    except OutcomeUnknownError as error:
        assert_type(error.doubt.attempts, int)
    except InvalidRestreamError as error:
        value_error: ValueError = error
        assert_type(error.field, str)
        del value_error
    except RestreamError as error:
        error.status  # type: ignore[attr-defined] # noqa: B018


def a_policy_is_frozen() -> None:
    policy = RetryPolicy()
    assert_type(policy.wait(1, None, 0.5), float)
    policy.attempts = 3  # type: ignore[misc]


def an_id_may_be_a_string(restream: Restream) -> int:
    return restream.id  # type: ignore[return-value]
