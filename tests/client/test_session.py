"""The client as a session manager: opened lazily, closed surely, shared by all."""

from __future__ import annotations

import asyncio
import re
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from restream_async import (
    ClientClosedError,
    ConfigurationError,
    RestreamClient,
    RestreamError,
    RetryPolicy,
    TransportError,
    UnauthorizedError,
)
from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async.sandbox import Sandbox
from tests.helpers.client_calls import failure_of
from tests.helpers.leak_checks import (
    assert_nothing_left,
    connections_in_use,
    leak_checked_client,
    settle,
)
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import (
    API_KEY,
    answer,
    as_asked,
    created,
    envelope,
    largest,
    listed,
    many,
    new_restream,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientSession]:
    """Every aiohttp session that is opened."""
    opened: list[aiohttp.ClientSession] = []
    original = aiohttp.ClientSession.__init__

    def note(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        original(self, *args, **options)
        opened.append(self)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", note)
    return opened


def settings(base_url: str = "https://api.example.com") -> dict[str, Any]:
    return {"base_url": base_url, "project_id": "p1", "api_key": API_KEY}


def test_a_client_is_made_without_a_loop_and_leaves_nothing_to_close(
    sessions: list[aiohttp.ClientSession],
) -> None:
    client = RestreamClient(**settings())

    assert sessions == []
    assert repr(client) == ("RestreamClient(base_url='https://api.example.com', project_id='p1')")


def test_a_client_made_outside_of_a_loop_works_in_one() -> None:
    async def use(client: RestreamClient) -> int:
        async with Sandbox(api_key=API_KEY, project_id="p1", port=0) as sandbox:
            client = RestreamClient(**settings(sandbox.base_url))
            async with client:
                await client.create(new_restream())
            return len(sandbox.stored)

    assert asyncio.run(use(RestreamClient(**settings()))) == 1


async def test_no_session_is_opened_before_the_first_request(
    sessions: list[aiohttp.ClientSession],
) -> None:
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        assert sessions == []
        await client.list("v1")
        await client.list("v2")
        assert len(sessions) == 1

    assert sessions[0].closed


async def test_leaving_without_a_request_is_fine(sessions: list[aiohttp.ClientSession]) -> None:
    async with leak_checked_client(RawServer(), base_url="https://api.example.com"):
        pass

    assert sessions == []


async def test_leaving_by_an_exception_closes_too(sessions: list[aiohttp.ClientSession]) -> None:
    async with RawServer(get=listed()) as server:

        async def fail() -> None:
            async with leak_checked_client(server) as client:
                await client.list("v1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

    assert sessions[0].closed


async def test_closing_twice_does_no_harm() -> None:
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        await client.list("v1")
        await client.close()
        await client.close()


async def test_closing_while_a_connection_is_made_sends_nothing() -> None:
    """A handshake cannot be interrupted from outside: it ends with the attempt at the latest."""
    async with RawServer() as server:
        base_url = f"https://127.0.0.1:{server.port}"
        async with leak_checked_client(server, base_url=base_url, timeout=0.05) as client:
            task = asyncio.create_task(client.create(new_restream()))
            await server.connected()
            await client.close()
            with pytest.raises((RuntimeError, TransportError)):
                await asyncio.wait_for(task, 1)
            await assert_nothing_left(client)

    assert server.requests == []


async def test_the_largest_restream_is_sent_and_its_answer_read() -> None:
    """aiohttp warns of bodies beyond 1 MiB, and of an answer no more than that is read."""
    new = largest()
    async with Sandbox() as sandbox, leak_checked_client(sandbox, attempts=1) as client:
        restream = await client.create(new)

    assert restream.title == new.title


async def test_one_client_serves_a_hundred_tasks() -> None:
    async with (
        Sandbox(latency=0.002) as sandbox,
        leak_checked_client(sandbox, max_in_flight=10) as client,
    ):
        restreams = await asyncio.gather(*map(client.create, many(100)))
        stats = client.stats()

    assert sorted({restream.video_id for restream in restreams}) == sorted(
        f"v{number}" for number in range(100)
    )
    assert len(sandbox.stored) == 100
    assert sandbox.counts.max_in_flight == 10
    assert (stats.attempts, stats.retries, stats.limit) == (100, 0, 10)


async def test_a_request_is_made_from_a_task() -> None:
    """Without one there would be nothing to cancel when its time is over."""
    caught: list[str] = []

    def by_hand() -> None:
        call = client.create(new_restream())
        with pytest.raises(RuntimeError) as error:
            call.send(None)
        caught.append(str(error.value))

    async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
        asyncio.get_running_loop().call_soon(by_hand)
        await settle()

    assert caught == ["a request must be made from a task"]


async def test_the_pool_is_as_large_as_the_requests_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiohttp's own pool holds 100: the 101st request would wait within its time-out."""
    together = asyncio.Barrier(150)
    # Else the limit would have to grow first.
    limit = partial(AdaptiveLimit, start=150)
    monkeypatch.setattr("restream_async._load.concurrency_limiter.AdaptiveLimit", limit)

    async def meet(peer: Peer, seen: Seen) -> None:
        await together.wait()
        await as_asked(peer, seen)

    async with (
        RawServer(post=meet) as server,
        leak_checked_client(server, max_in_flight=150, attempts=1) as client,
    ):
        await asyncio.gather(*map(client.create, many(150)))

    assert len(server.peers) == 150


async def test_stats_count_what_is_sent_again() -> None:
    once = answer(b"", "429 Later")
    async with (
        RawServer(post=[once, created()], get=[once, once, listed()]) as server,
        leak_checked_client(server) as client,
    ):
        await client.create(new_restream())
        assert (client.stats().attempts, client.stats().retries) == (2, 1)
        await client.list("v1")
        stats = client.stats()

    assert (stats.attempts, stats.retries, stats.in_flight, stats.waiting) == (5, 3, 0, 0)


async def test_stats_show_what_is_in_flight_and_what_waits() -> None:
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=2) as client,
    ):
        tasks = [asyncio.create_task(client.create(new)) for new in many(5)]
        await server.arrived(2)
        stats = client.stats()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert (stats.in_flight, stats.waiting, stats.limit) == (2, 3, 2)


class TestABroughtSession:
    async def test_it_is_used_and_stays_open(self) -> None:
        async with RawServer(post=created()) as server, aiohttp.ClientSession() as session:
            async with leak_checked_client(server, session=session) as client:
                await client.create(new_restream())
            assert not session.closed
            with pytest.raises(RuntimeError, match="the client is closed"):
                await client.create(new_restream())

        assert server.counts == {"POST": 1}

    async def test_its_settings_do_no_harm(self) -> None:
        async with (
            RawServer(
                post=answer(b"no", "400 Bad Request", {"Set-Cookie": "taste=sweet; Path=/"}),
                get=listed(),
            ) as server,
            aiohttp.ClientSession(
                base_url="https://elsewhere.example.com/",
                raise_for_status=True,
                headers={"Authorization": "theirs", "Accept": "text/html", "X-Theirs": "yes"},
                timeout=aiohttp.ClientTimeout(total=0.000_001),
                cookie_jar=aiohttp.CookieJar(unsafe=True),
            ) as session,
            leak_checked_client(server, session=session) as client,
        ):
            with pytest.raises(RestreamError, match="400 Bad Request"):
                await client.create(new_restream())
            assert await client.list("v1") == []

        [first, second] = server.requests
        assert first.headers["authorization"] == second.headers["authorization"] == API_KEY
        assert first.headers["accept"] == "application/json"
        assert first.headers["x-theirs"] == "yes"

    async def test_with_an_auth_of_its_own_it_is_refused(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            auth = aiohttp.BasicAuth("name", "word")
            session = aiohttp.ClientSession(auth=auth)
        async with session:
            with pytest.raises(ConfigurationError, match="auth of its own") as caught:
                RestreamClient(**settings(), session=session)

        assert "word" not in str(caught.value)

    async def test_with_credentials_from_netrc_it_says_what_is_wrong(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login name password word\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        async with (
            RawServer() as server,
            aiohttp.ClientSession(trust_env=True) as session,
            leak_checked_client(server, session=session, attempts=1) as client,
        ):
            error = await failure_of(client.create(new_restream()), TransportError)

        assert error.sent is False
        assert "a header or credentials from .netrc" in str(error)

    async def test_with_a_malformed_header_it_says_what_is_wrong(self) -> None:
        async with (
            RawServer() as server,
            aiohttp.ClientSession(headers={"X-Bad": "line\nbreak"}) as session,
            leak_checked_client(server, session=session, attempts=1) as client,
        ):
            error = await failure_of(client.create(new_restream()), TransportError)
            await assert_nothing_left(client)

        assert error.sent is False
        assert "such as a header" in str(error)

    @pytest.mark.parametrize("before", [0, 1])
    async def test_closed_by_its_owner_it_cannot_be_used(self, before: int) -> None:
        async with RawServer(post=created()) as server:
            session = aiohttp.ClientSession()
            async with leak_checked_client(server, session=session) as client:
                for _ in range(before):
                    await client.create(new_restream())
                await session.close()
                error = await failure_of(client.create(new_restream("v2")), ClientClosedError)

        assert "the session that the client was given is closed" in str(error)
        assert isinstance(error, RuntimeError)
        assert not error.sent

    async def test_closed_by_its_owner_during_a_request_ends_it(self) -> None:
        async with RawServer(put=then_hang()) as server:
            session = aiohttp.ClientSession()
            async with leak_checked_client(server, session=session) as client:
                task = asyncio.create_task(client.toggle(7))
                await server.arrived()
                await session.close()
                with pytest.raises(TransportError, match="was not sent again"):
                    await asyncio.wait_for(task, 1)
                await assert_nothing_left(client)

    @pytest.mark.parametrize(
        ("limits", "places"),
        [
            ({"limit": 3}, 3),
            ({"limit": 3, "limit_per_host": 2}, 2),
            ({"limit": 1}, 1),
            ({"limit": 0}, 8),
            ({"limit": 0, "limit_per_host": 5}, 5),
            ({"limit": 100}, 8),
        ],
        ids=str,
    )
    async def test_a_smaller_pool_bounds_the_requests_in_flight(
        self, limits: dict[str, int], places: int
    ) -> None:
        """Otherwise requests would wait for the pool within their time-out."""
        connector = aiohttp.TCPConnector(**limits)  # type: ignore[arg-type]
        async with (
            Sandbox(latency=0.01) as sandbox,
            aiohttp.ClientSession(connector=connector) as session,
            leak_checked_client(sandbox, session=session, max_in_flight=8) as client,
        ):
            assert client.stats().limit == places
            await asyncio.gather(*map(client.create, many(16)))

        assert sandbox.counts.max_in_flight == places

    async def test_a_pool_shared_with_others_may_be_busy(self) -> None:
        """Waiting in somebody else's pool is part of the attempt, and nothing was sent."""
        async with (
            RawServer(get=then_hang(), post=created()) as server,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
            leak_checked_client(server, session=session, timeout=0.1, attempts=1) as client,
        ):
            other = asyncio.ensure_future(session.get(server.base_url))
            await server.arrived()
            error = await failure_of(client.create(new_restream()), type(_timeout()))
            assert getattr(error, "sent", None) is False
            assert connections_in_use() == 1
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)
            assert (await client.create(new_restream())).id == 7


def _timeout() -> RestreamError:
    from restream_async import AttemptTimeoutError  # noqa: PLC0415
    from restream_async.errors import Call  # noqa: PLC0415

    return AttemptTimeoutError(Call("POST", "/"), detail="", sent=False)


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "api..example.com", ".example.com"])
def test_a_host_that_no_name_can_be_is_a_configuration_error(host: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url has a host that no DNS name"):
        RestreamClient(**settings(f"https://{host}"))


@pytest.mark.parametrize(
    "host",
    ["api.example.com", "api.example.com.", "bücher.example", "192.0.2.1", "[2001:db8::1]:8443"],
)
def test_a_host_that_a_name_or_address_can_be_is_taken(host: str) -> None:
    assert re.escape(host) in re.escape(repr(RestreamClient(**settings(f"https://{host}"))))


async def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer(post=created()) as server:
        monkeypatch.setenv("RESTREAM_BASE_URL", f"{server.base_url}/base/")
        monkeypatch.setenv("RESTREAM_PROJECT_ID", "p 1/2")
        monkeypatch.setenv("RESTREAM_API_KEY", "from-the-environment")
        async with RestreamClient() as client:
            await client.create(new_restream())

    [request] = server.requests
    assert request.path == "/base/api/v1/p%201%2F2/restreams"
    assert request.headers["authorization"] == "from-the-environment"


@pytest.mark.parametrize("missing", ["base_url", "project_id", "api_key"])
def test_a_missing_setting_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"RESTREAM_{missing.upper()}", raising=False)
    with pytest.raises(ConfigurationError, match=f"{missing} is missing"):
        RestreamClient(**{name: value for name, value in settings().items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": 0}, {"max_in_flight": 0}, {"in_doubt": "perhaps"}, {"base_url": "example.com"}],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        RestreamClient(**{**settings(), **wrong})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"retry": 3}, "retry must be a RetryPolicy or None, not int"),
        ({"retry": RetryPolicy}, "retry must be a RetryPolicy or None, not type"),
        ({"session": object()}, "session must be an aiohttp.ClientSession or None, not object"),
        ({"clock": 1.0}, "clock must be a Clock or None, not float"),
        ({"allow_http": "no"}, "allow_http must be True or False"),
        ({"allow_http": None}, "allow_http must be True or False"),
        ({"trust_env": 1}, "trust_env must be True or False"),
    ],
    ids=range(7),
)
def test_a_setting_of_the_wrong_type_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RestreamClient(**{**settings(), **wrong})
    assert str(caught.value) == told


def test_a_client_whose_constructor_has_refused_its_arguments_can_be_shown() -> None:
    """As debuggers and tracebacks do that show local variables."""
    client = RestreamClient.__new__(RestreamClient)
    with pytest.raises(ConfigurationError):
        client.__init__(base_url="example.com")  # type: ignore[misc]

    assert repr(client) == "RestreamClient(not made)"


async def test_a_key_that_is_not_accepted_is_not_tried_twice() -> None:
    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox, api_key="wrong", retry=RetryPolicy(attempts=9)) as client,
    ):
        await failure_of(client.list("v1"), UnauthorizedError)

    assert sandbox.counts.lists == 1


async def test_a_session_of_our_own_sends_what_any_other_does() -> None:
    """Its requests are put together otherwise, to save time."""
    sent: list[list[tuple[object, ...]]] = []

    async def talk(session: aiohttp.ClientSession | None) -> None:
        async with (
            RawServer(
                post=created(),
                get=listed(),
                put=answer(envelope({"id": 7, "status": True})),
                delete=answer(envelope(result=True)),
            ) as server,
            leak_checked_client(server, session=session) as client,
        ):
            await client.create(new_restream())
            await client.list("v1")
            await client.toggle(7)
            await client.delete(7)
        host = server.base_url.removeprefix("http://")
        assert {seen.headers["host"] for seen in server.requests} == {host}
        sent.append(
            [
                (seen.method, seen.path, list((seen.headers | {"host": ""}).items()), seen.body)
                for seen in server.requests
            ]
        )

    await talk(None)
    async with aiohttp.ClientSession() as session:
        await talk(session)

    assert len(sent[0]) == 4
    assert sent[0] == sent[1]
