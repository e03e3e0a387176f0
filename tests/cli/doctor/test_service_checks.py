"""What the service answers: a raw server says what is needed, a sandbox the rest."""

import datetime as dt
from email.utils import format_datetime
from typing import Any, Final

import pytest

from restream_async._util.clock import Clock
from restream_async.cli.doctor.results import Result
from restream_async.sandbox import Sandbox
from tests.helpers.examination import examine, said, skipped_after, statuses
from tests.helpers.raw_server import Act, Peer, RawServer, Seen, Step, then_close, then_hang
from tests.helpers.samples import (
    API_KEY,
    BACKEND_FETCH_FAILED,
    answer,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

EMPTY: Final = listed()
UNAUTHORIZED: Final = answer(envelope(None, status=401), "401 Unauthorized")
FORBIDDEN: Final = answer(envelope(None, status=403), "403 Forbidden")
NOT_FOUND: Final = answer(envelope(None, status=404), "404 Not Found")
DEPENDS: Final = "Creating exactly once depends on this call"


def by_key(forms: dict[str, bytes], otherwise: bytes) -> Act:
    """Answer by the word before the key."""

    async def act(peer: Peer, seen: Seen) -> None:
        scheme, _, key = seen.headers["authorization"].rpartition(" ")
        assert key == API_KEY
        await peer.write(forms.get(scheme, otherwise))

    return act


async def ask(step: Step, **options: Any) -> dict[str, Result]:  # noqa: ANN401 - those of a connection
    async with RawServer(get=step) as server:
        results = await examine(server.base_url, **options)
        assert {seen.method for seen in server.requests} == {"GET"}
        assert len(server.requests) <= 3
    assert not [each for each in results.values() if API_KEY in said(each)]
    return results


async def test_a_sandbox_is_fine_and_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(project_id="p1") as sandbox:
        monkeypatch.setenv("RESTREAM_API_KEY", sandbox.api_key)
        results = await examine(sandbox.base_url)

        assert (sandbox.counts.lists, sandbox.counts.posts) == (2, 0)
    assert [*results] == [
        *("settings", "proxy", "DNS", "TCP", "TLS", "HTTP", "envelope", "API key", "clock"),
        "list call",
    ]
    assert results["settings"].detail == f"{sandbox.base_url}, project p1, API key ***"
    assert results["proxy"].detail == "none"
    assert results["DNS"].detail == "not needed, 127.0.0.1 is an address"
    assert results["HTTP"].detail.startswith("200 OK in ")
    assert results["envelope"].detail == "as documented, with success: true"
    assert results["API key"].detail == "accepted as it is sent, the key alone; also as Bearer"
    assert results["list call"].detail == "it shows 0 restreams of the video v1"
    assert set(statuses(results).values()) == {"ok", "skipped"}


async def test_the_list_of_a_video_is_counted() -> None:
    wire = on_the_wire(new_restream())
    results = await ask(listed(wire, {**wire, "id": 8}))

    assert said(results["list call"]) == "ok | it shows 2 restreams of the video v1"


async def test_a_list_in_pages_says_how_many_there_are() -> None:
    page = {
        "currentPage": 1,
        "totalPages": 3,
        "pageSize": 1,
        "totalCount": 3,
        "items": [on_the_wire(new_restream())],
    }
    results = await ask(answer(envelope(page)))

    assert said(results["list call"]) == "ok | it shows 3 restreams of the video v1"


async def test_masked_stream_keys_are_a_warning() -> None:
    wire = {**on_the_wire(new_restream()), "streamKey": "str***"}
    results = await ask(listed(wire))

    assert results["list call"].status.value == "warning"
    assert "but not their whole stream keys" in results["list call"].detail


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_key_that_is_refused_in_each_form(status: str) -> None:
    results = await ask(answer(envelope(None, status=int(status[:3])), status))

    assert results["HTTP"].status.value == "ok"
    assert said(results["API key"]) == (
        f"failed | refused (the key alone: {status}; as Bearer: {status}) | Check the API key "
        "(RESTREAM_API_KEY or --api-key-file), whether it belongs to the project p1, and whether "
        "it may list restreams."
    )
    assert said(results["list call"]) == "skipped | API key failed"


@pytest.mark.parametrize("refusal", [UNAUTHORIZED, FORBIDDEN])
async def test_a_service_that_takes_the_key_as_bearer_only(refusal: bytes) -> None:
    results = await ask(by_key({"Bearer": EMPTY}, refusal))

    assert results["API key"].detail.startswith("refused as it is sent (the key alone: 40")
    assert results["API key"].detail.endswith("; as Bearer: 200 OK)")
    assert results["API key"].advice == (
        "Set RESTREAM_AUTH_SCHEME=Bearer, or pass --auth-scheme Bearer."
    )

    results = await ask(by_key({"Bearer": EMPTY}, refusal), auth_scheme="Bearer")

    assert said(results["API key"]) == "ok | accepted as it is sent, as Bearer"
    assert results["settings"].detail.endswith("API key Bearer ***")
    assert results["list call"].status.value == "ok"


async def test_a_service_that_takes_the_key_alone_only() -> None:
    results = await ask(by_key({"": EMPTY}, UNAUTHORIZED), auth_scheme="Bearer")

    assert results["API key"].status.value == "failed"
    assert results["API key"].advice == (
        "Unset RESTREAM_AUTH_SCHEME, and leave out --auth-scheme: only the key is expected."
    )


async def test_another_scheme_than_the_two_is_tried_first() -> None:
    results = await ask(by_key({"Token": EMPTY}, UNAUTHORIZED), auth_scheme="Token")

    assert said(results["API key"]) == "ok | accepted as it is sent, as Token"

    results = await ask(by_key({"Bearer": NOT_FOUND}, UNAUTHORIZED), auth_scheme="Token")

    assert results["API key"].advice.startswith("Set RESTREAM_AUTH_SCHEME=Bearer")


async def test_404_in_one_form_and_a_refusal_in_the_other_tells_them_apart() -> None:
    results = await ask(by_key({"": NOT_FOUND}, UNAUTHORIZED))

    assert said(results["API key"]) == "ok | accepted as it is sent, the key alone"
    assert results["list call"].status.value == "warning"
    assert DEPENDS in results["list call"].advice


async def test_404_without_a_video_is_what_the_documentation_says() -> None:
    results = await ask(by_key({"": NOT_FOUND}, UNAUTHORIZED), video=None)

    assert said(results["list call"]) == ("ok | 404 for a video that does not exist, as documented")


@pytest.mark.parametrize(
    "status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"]
)
async def test_a_service_without_a_list_call(status: str) -> None:
    results = await ask(answer(b"<html>no</html>", status))

    assert results["HTTP"].status.value == "ok"
    assert results["envelope"].status.value == "warning"
    assert "it is an HTML page" in results["envelope"].detail
    assert results["API key"].status.value == "warning"
    assert results["API key"].detail == (
        f"neither refused nor used (the key alone: {status}; as Bearer: {status})"
    )
    assert results["list call"].status.value == ("warning" if "404" in status else "failed")
    assert DEPENDS in results["list call"].advice


async def test_the_page_of_a_cache_says_who_answers_and_names_the_request() -> None:
    results = await ask(BACKEND_FETCH_FAILED)

    assert skipped_after(results, "HTTP")
    assert results["HTTP"].detail.startswith("503 Backend fetch failed in ")
    assert results["HTTP"].advice == (
        "A cache (Varnish) answers in place of the service, which it cannot reach. Try again "
        "later; if it lasts, tell the operators of the service the request id 2."
    )


async def test_a_service_that_fails() -> None:
    results = await ask(answer(b"oops", "500 Internal Server Error"))

    assert skipped_after(results, "HTTP")
    assert results["HTTP"].advice == (
        "The service fails. Try again later; if it lasts, tell the operators of the service the "
        "time."
    )


async def test_an_envelope_that_says_503_under_200_is_no_success() -> None:
    results = await ask(answer(envelope(None, status=503)))

    assert results["envelope"].detail == "as documented, with success: false"
    assert results["API key"].status.value == "warning"
    assert results["list call"].detail.startswith("503 Service Unavailable")
    assert results["list call"].advice.startswith("Try again later.")


@pytest.mark.parametrize("status", ["200", "302", "503"])
async def test_a_service_that_repeats_the_key_does_not_make_it_known(status: str) -> None:
    there = {"Location": f"https://login.example/{API_KEY}", "X-Request-Id": API_KEY}
    results = await ask(answer(API_KEY.encode(), f"{status} No {API_KEY}", there))

    assert results["HTTP"].detail.startswith(f"{status} No *** in ")


async def test_a_redirect_is_named_without_its_query() -> None:
    there = {"Location": f"https://login.example/?key={API_KEY}"}
    results = await ask(answer(b"", "302 Found", there))

    assert skipped_after(results, "HTTP")
    assert "a redirect to https://login.example/" in results["HTTP"].detail
    assert results["HTTP"].advice.startswith("Redirects are not followed. Check the base URL")


async def test_a_proxy_that_wants_a_login_for_plain_http() -> None:
    async with RawServer(get=answer(b"", "407 Proxy Authentication Required")) as proxy:
        results = await examine("http://service.test", allow_http=True, proxy=proxy.base_url)

    assert skipped_after(results, "HTTP")
    assert results["HTTP"].detail.startswith("the proxy asks for a user name and password (407")
    assert results["HTTP"].advice.startswith(
        "Put the right ones into the proxy URL in the variable"
    )


@pytest.mark.parametrize(
    ("step", "detail", "advice"),
    [
        (then_close(), "the service closed the connection without an answer", "Check the base URL"),
        (b"SSH-2.0\r\n\r\n", "the answer cannot be read (it is not valid HTTP)", "Check the base"),
    ],
    ids=["closed", "SSH"],
)
async def test_a_service_that_does_not_speak_http(step: Step, detail: str, advice: str) -> None:
    results = await ask(step)

    assert skipped_after(results, "HTTP")
    assert results["HTTP"].detail == detail
    assert results["HTTP"].advice.startswith(advice)


async def test_a_service_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.examination.STEP_SECONDS", 0.05)
    results = await ask(then_hang())

    assert skipped_after(results, "HTTP")
    assert results["HTTP"].detail == "no answer within 0.05 s"


async def test_a_slow_service_is_a_warning() -> None:
    moments = iter(range(0, 10_000, 3))
    results = await ask(EMPTY, clock=Clock(now=lambda: float(next(moments)) / 4 % 50))

    assert results["HTTP"].status.value == "ok"

    moments = iter(range(0, 10_000, 3))
    results = await ask(EMPTY, clock=Clock(now=lambda: float(next(moments))))

    assert results["HTTP"].status.value == "warning"
    assert results["HTTP"].detail == "200 OK in 3.0 s"
    assert results["HTTP"].advice.startswith("Answers that take more than 2 s make the client")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "it is an HTML page"),
        (b"", "it is empty"),
        (b"hello", "it is not JSON"),
        (b"[]", "it is another JSON"),
        (b'{"ok": true}', "it is another JSON"),
    ],
)
async def test_a_success_that_is_not_the_envelope_comes_from_another_program(
    body: bytes, problem: str
) -> None:
    results = await ask(answer(body))

    assert skipped_after(results, "envelope")
    assert f"the answer is not the documented envelope ({problem}" in results["envelope"].detail
    assert results["envelope"].advice.startswith("Check the base URL (RESTREAM_BASE_URL or --base")


async def test_a_list_that_cannot_be_read() -> None:
    results = await ask(answer(envelope("restreams")))

    assert results["list call"].status.value == "failed"
    assert results["list call"].detail.startswith("the answer cannot be read (result")
    assert results["list call"].advice.startswith("The client cannot use this answer.")


NOON: Final = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("hours", "said_so"),
    [
        (0.0, "ok | as at the service, within a minute"),
        (0.016, "ok | as at the service, within a minute"),
        (-0.016, "ok | as at the service, within a minute"),
        (1.0, "ahead of that of the service"),
        (-1.0, "behind that of the service"),
    ],
)
async def test_a_clock_that_is_wrong_is_a_warning(hours: float, said_so: str) -> None:
    dated = answer(envelope([]), headers={"Date": format_datetime(NOON, usegmt=True)})
    here = NOON.timestamp() + hours * 3600
    results = await ask(dated, clock=Clock(wall_clock=lambda: here))

    assert said_so in said(results["clock"])
    if "that of" in said_so:
        assert results["clock"].status.value == "warning"
        assert "3,599 s" in results["clock"].detail or "3,600 s" in results["clock"].detail
    assert results["list call"].status.value == "ok"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "the answer has no date"),
        ({"Date": "today"}, "the answer has no date"),
        ({"Age": "7"}, "a cache answered, with the date of an earlier answer"),
    ],
)
async def test_a_clock_that_cannot_be_compared(headers: dict[str, str], reason: str) -> None:
    results = await ask(answer(envelope([]), headers=headers))

    assert said(results["clock"]) == f"skipped | {reason}"


async def test_the_clock_is_compared_even_if_the_service_fails() -> None:
    dated = answer(b"", "500 Internal Server Error", {"Date": format_datetime(NOON, usegmt=True)})
    results = await ask(dated, clock=Clock(wall_clock=NOON.timestamp))

    assert said(results["clock"]) == "ok | as at the service, within a minute"
