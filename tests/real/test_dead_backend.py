"""Varnish cannot reach the service: the real 503 page of the documentation."""

import asyncio

import aiohttp
import pytest

from restream_async import BackendFetchFailedError, OutcomeUnknownError, RestreamError
from restream_async.settings import InDoubt
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock, SleeplessClock
from tests.helpers.varnish_clients import new


async def failure_of_creating(
    base_url: str, *, attempts: int = 3, in_doubt: InDoubt = "confirm"
) -> RestreamError:
    async with client_of(base_url, attempts=attempts, in_doubt=in_doubt) as client:
        with pytest.raises(RestreamError) as caught:
            await client.create(new("v1"))
    return caught.value


async def test_the_page_is_the_one_that_the_library_was_built_for(dead_backend: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{dead_backend}/api/v1/p1/restreams", json={}) as response,
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


async def test_creating_fails_as_documented_after_the_attempts_it_may_make(
    dead_backend: str,
) -> None:
    error = await failure_of_creating(dead_backend, attempts=3, in_doubt="resend")
    assert isinstance(error, BackendFetchFailedError)
    assert (error.status, error.reason) == (503, "Backend fetch failed")
    assert error.retry_after == 5
    assert error.attempts == 3


async def test_if_the_existence_check_fails_too_the_outcome_is_unknown(dead_backend: str) -> None:
    error = await failure_of_creating(dead_backend, attempts=3)
    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.doubt, BackendFetchFailedError)
    assert error.doubt.retry_after == 5
    assert error.attempts == 3


@pytest.mark.parametrize("in_doubt", ["confirm", "resend"])
async def test_the_error_has_the_request_the_response_and_the_attempts(
    dead_backend: str, in_doubt: InDoubt
) -> None:
    text = str(await failure_of_creating(dead_backend, attempts=2, in_doubt=in_doubt))
    assert "503 Backend fetch failed" in text
    assert "POST /api/v1/p1/restreams (video 'v1'), 2 attempts" in text
    assert "<" not in text


async def test_no_wait_is_shorter_than_varnish_asks_for(dead_backend: str) -> None:
    clock = FastClock()
    async with client_of(dead_backend, clock=clock, attempts=3) as client:
        with pytest.raises(RestreamError):
            await client.create(new())
    assert len(clock.sleeps) >= 2
    assert min(clock.sleeps) >= 5


async def test_nothing_is_left_running_or_occupied(dead_backend: str) -> None:
    async with client_of(dead_backend) as client:
        with pytest.raises(RestreamError):
            await client.create(new())
        assert client.stats().in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_listing_fails_after_its_attempts(dead_backend: str) -> None:
    async with client_of(dead_backend, attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.list("v1")
    assert caught.value.attempts == 3


async def test_a_toggle_is_not_sent_again(dead_backend: str) -> None:
    async with client_of(dead_backend, attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.toggle(1)
    assert caught.value.attempts == 1


async def test_deleting_fails_after_its_attempts(dead_backend: str) -> None:
    async with client_of(dead_backend, attempts=3) as client:
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.delete(1)
    assert caught.value.attempts == 3


async def test_each_of_many_creations_ends_with_its_own_failure(dead_backend: str) -> None:
    videos = [f"v{number}" for number in range(5)]
    async with client_of(dead_backend, clock=SleeplessClock(), attempts=2) as client:
        report = await client.create_all(map(new, videos))
    assert report.created == ()
    assert [failed.request.video_id for failed in report.failed] == videos
    assert {failed.attempts for failed in report.failed} == {2}
    assert all("503 Backend fetch failed" in str(failed.error) for failed in report.failed)
