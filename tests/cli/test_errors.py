"""Library errors are shown in the words of the command line."""

import asyncio
import re
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from restream_async import (
    ForbiddenError,
    JournalError,
    NewRestream,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
)
from restream_async._util.clock import Clock
from restream_async.cli.errors import CLI_WORDS, brief, describe, system_reason
from restream_async.errors import Call, NotFoundError
from restream_async.sandbox import Sandbox
from tests.helpers.clients import client_of
from tests.helpers.command_line import API_KEY, STREAM_URL
from tests.helpers.samples import SELF_SIGNED

NOWHERE = "http://127.0.0.1:9"
EXAMPLE = "https://api.example.com"
NEW = NewRestream(video_id="v1", title="T", stream_url=STREAM_URL, stream_key="k", status=True)

Fail = Callable[[str, pytest.MonkeyPatch], Coroutine[Any, Any, object]]


def a_list(api_key: str = API_KEY, **settings: Any) -> Fail:  # noqa: ANN401 - those of a client
    async def call(base_url: str, _: pytest.MonkeyPatch) -> None:
        async with client_of(base_url, attempts=1, api_key=api_key, **settings) as client:
            await client.list("v1")

    return call


async def a_list_over_tls(_: str, patch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(SELF_SIGNED)

    def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await a_list(base_url=f"https://127.0.0.1:{port}")("", patch)


async def a_list_through_a_proxy_that_wants_a_login(_: str, patch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await a_list(base_url=EXAMPLE, proxy=f"http://127.0.0.1:{port}")("", patch)


async def an_outage(_: str, patch: pytest.MonkeyPatch) -> None:
    del patch
    async with client_of(NOWHERE, clock=Clock(), patience=0.2) as client:
        report = await client.create_all([NEW])
    report.raise_for_failures()


async def a_damaged_journal(base_url: str, patch: pytest.MonkeyPatch) -> None:
    await a_bulk_run(base_url, patch)
    _spoil(Path("run.db"))
    await a_bulk_run(base_url, patch)


def _spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096].ljust(20_000, b"?"))


async def a_journal_of_another_service(base_url: str, patch: pytest.MonkeyPatch) -> None:
    await a_bulk_run(base_url, patch)
    await a_bulk_run(base_url.replace("127.0.0.1", "localhost"), patch)


async def a_journal_of_another_project(base_url: str, patch: pytest.MonkeyPatch) -> None:
    await a_bulk_run(base_url, patch)
    await a_bulk_run(base_url, patch, project_id="p2")


async def a_python_without_journals(base_url: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("restream_async._journal.database._NEEDED", "SELECT nonsense(1)")
    await a_bulk_run(base_url, patch)


async def a_bulk_run(base_url: str, _: pytest.MonkeyPatch, project_id: str = "p1") -> None:
    async with client_of(base_url, project_id=project_id, api_key=API_KEY) as client:
        await client.create_all([NEW], journal="run.db")


FAILURES: dict[str, Fail] = {
    "check api_key and auth_scheme": a_list(api_key="wrong"),
    "check base_url, project_id and the ids in the route": a_list(project_id="wrong"),
    "check base_url and the network": an_outage,
    "with ssl=… or": a_list_over_tls,
    "into the proxy URL, as in": a_list_through_a_proxy_that_wants_a_login,
    "run again with ensure=True": a_damaged_journal,
    "run without a journal": a_python_without_journals,
    "pass allow_http=True": a_list(base_url="http://api.example.com"),
    "goes into api_key": a_list(base_url="https://user:pw@api.example.com"),
    "base_url=…": a_list(base_url="?"),
    "project_id=…": a_list(project_id=" p"),
    "api_key=…": a_list(api_key="k "),
    "auth_scheme=…": a_list(auth_scheme="two words"),
    "proxy=…": a_list(base_url=EXAMPLE, proxy=NOWHERE),
    "base_url": a_journal_of_another_service,
    "project_id": a_journal_of_another_project,
    "api_key": a_list(api_key="Bearer k"),
    "auth_scheme": a_list(auth_scheme=""),
}


@pytest.mark.parametrize("words", CLI_WORDS)
def test_each_word_of_python_that_is_translated_is_one_that_the_library_says(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((RestreamError, ExceptionGroup)) as caught:
        asyncio.run(FAILURES[words](sandbox.base_url, monkeypatch))
    error = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
    assert isinstance(error, RestreamError)
    assert re.search(rf"(?<![\w./]){re.escape(words)}(?![\w./])", str(error))
    assert CLI_WORDS[words] in describe(error)
    assert not re.search(r"[a-z]_[a-z]|=…|=True", describe(error))


def test_words_of_python_are_translated_but_not_in_paths_urls_and_what_the_service_said() -> None:
    error = JournalError("the journal /x/api_key.db is damaged: run again with ensure=True")
    assert describe(error) == "the journal /x/api_key.db is damaged: run again with --ensure"
    call = Call("POST", "/api/v1/base_url/restreams", "api_key")
    note = "check base_url, project_id and the ids in the route"
    refused = NotFoundError(call, status=404, reason="Not Found", errors=["base_url"], note=note)
    assert describe(refused) == (
        f"404 Not Found (base_url): {call}, 0 attempts; "
        "check the base URL, the project id and the id of the live video"
    )


def test_the_reason_of_an_error_is_told_in_the_systems_words() -> None:
    assert system_reason(OSError(2, "No such file or directory", "/secret/path")) == (
        "no such file or directory"
    )
    assert system_reason(OSError("Just a text")) == "just a text"
    assert system_reason(OSError()) == "oSError"


CALL = Call("POST", "/api/v1/p1/restreams", "v1")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ForbiddenError(CALL, status=403, reason="Forbidden", excerpt="<html>"), "403 Forbidden"),
        (ForbiddenError(CALL, status=403, messages=["no"]), "403 (no)"),
        (OutcomeUnknownError(CALL, doubt=ForbiddenError(CALL, status=503)), "503"),
        (TransportError(CALL, detail="no answer within 30 s", sent=True), "no answer within 30 s"),
        (JournalError("is full"), "is full"),
    ],
)
def test_a_failure_is_told_in_short(error: RestreamError, words: str) -> None:
    assert brief(error) == words
