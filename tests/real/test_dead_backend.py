"""Varnish cannot reach the service: the 503 of the service's documentation, from its source."""

import asyncio
import logging
import traceback

import aiohttp
import pytest

from restream_async import BackendFetchFailedError, OutcomeUnknownError, RestreamError
from restream_async.settings import InDoubt
from tests.helpers.varnish_clients import API_KEY, STREAM_KEY, Waits, client_of, new


async def failure_of_creating(
    base_url: str, *, attempts: int = 3, in_doubt: InDoubt = "confirm"
) -> RestreamError:
    async with client_of(base_url, Waits(), attempts=attempts, in_doubt=in_doubt) as client:
        with pytest.raises(RestreamError) as caught:
            await client.create(new("v1"))
    return caught.value


async def test_the_page_is_the_one_that_the_library_was_built_for(dead_end: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{dead_end}/api/v1/p1/restreams", json={}) as response,
    ):
        page = await response.text()
    assert (response.status, response.reason) == (503, "Backend fetch failed")
    assert response.headers["Server"] == "Varnish"
    assert response.headers["Retry-After"] == "5"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Age"] == "0"
    assert response.headers["X-Varnish"].isdigit()
    assert "(Varnish/" in response.headers["Via"]
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>503 Backend fetch failed</title>" in page
    assert "Guru Meditation:" in page
    assert "XID: " in page


async def test_creating_fails_as_documented_after_the_attempts_it_may_make(dead_end: str) -> None:
    error = await failure_of_creating(dead_end, attempts=3, in_doubt="resend")
    assert isinstance(error, BackendFetchFailedError)
    assert (error.status, error.reason) == (503, "Backend fetch failed")
    assert error.retry_after == 5
    assert error.attempts == 3


async def test_where_looking_fails_as_well_the_outcome_is_unknown(dead_end: str) -> None:
    error = await failure_of_creating(dead_end, attempts=3)
    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.doubt, BackendFetchFailedError)
    assert error.doubt.retry_after == 5
    assert error.attempts == 3


@pytest.mark.parametrize("in_doubt", ["confirm", "resend"])
async def test_the_error_says_what_was_asked_what_came_back_and_how_often(
    dead_end: str, in_doubt: InDoubt
) -> None:
    text = str(await failure_of_creating(dead_end, attempts=2, in_doubt=in_doubt))
    assert "503 Backend fetch failed" in text
    assert "POST /api/v1/p1/restreams (video 'v1'), 2 attempts" in text
    assert "<" not in text


async def test_no_wait_is_shorter_than_varnish_asks_for(dead_end: str) -> None:
    waits = Waits()
    async with client_of(dead_end, waits, attempts=3) as client:
        with pytest.raises(RestreamError):
            await client.create(new())
    assert len(waits.seconds) >= 2
    assert min(waits.seconds) >= 5


@pytest.mark.parametrize("in_doubt", ["confirm", "resend", "raise"])
async def test_no_secret_is_told(
    dead_end: str, in_doubt: InDoubt, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure_of_creating(dead_end, in_doubt=in_doubt)
    told = [str(error), repr(error), "".join(traceback.format_exception(error)), caplog.text]
    assert [secret for secret in (API_KEY, STREAM_KEY) if secret in "\n".join(told)] == []


async def test_nothing_is_left_running_or_occupied(dead_end: str) -> None:
    async with client_of(dead_end, Waits()) as client:
        with pytest.raises(RestreamError):
            await client.create(new())
        assert client.stats().in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_listing_fails_after_its_attempts(dead_end: str) -> None:
    async with client_of(dead_end, Waits(), attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.list("v1")
    assert caught.value.attempts == 3


async def test_a_toggle_is_not_sent_again(dead_end: str) -> None:
    async with client_of(dead_end, Waits(), attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.toggle(1)
    assert caught.value.attempts == 1


async def test_deleting_fails_after_its_attempts(dead_end: str) -> None:
    async with client_of(dead_end, Waits(), attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.delete(1)
    assert caught.value.attempts == 3


async def test_each_of_many_creations_ends_with_its_own_failure(dead_end: str) -> None:
    videos = [f"v{number}" for number in range(5)]
    async with client_of(dead_end, Waits(), attempts=2) as client:
        report = await client.create_all(map(new, videos))
    assert report.created == ()
    assert [failed.request.video_id for failed in report.failed] == videos
    assert {failed.attempts for failed in report.failed} == {2}
    assert all("503 Backend fetch failed" in str(failed.error) for failed in report.failed)
