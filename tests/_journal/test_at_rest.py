"""Whoever gets hold of a journal learns no stream key, no stream URL and no API key from it."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest

from restream_async import NewRestream
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.in_memory_service import IDENTITY, Backend, in_memory_client
from tests.helpers.journal_clients import late_commit_client
from tests.helpers.journal_disk import content, files_of, query, write

API_KEY = "kQ7-api-0c3f9a1d"
STREAM_KEY = "zX4-stream-7be2/ü"
HOST = "hidden-target.example"
SECRETS = (API_KEY, STREAM_KEY, HOST, "aPath-w8", "aUser-k3", "aQuery-p5")
WANTED = [
    NewRestream(
        video_id=f"v{number % 3}",
        title="YouTube",
        stream_url=f"rtmps://aUser-k3:pass@{HOST}/aPath-w8?token=aQuery-p5",
        stream_key=f"{STREAM_KEY}{number}",
        status=True,
    )
    for number in range(60)
]


def spellings(secret: str) -> Iterator[bytes]:
    yield secret.encode("utf-16-le")
    yield secret.encode("utf-16-be")
    for coding in ("utf-8", "latin-1"):
        plain = secret.encode(coding)
        yield from (plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode())
        yield quote(plain, safe="").encode()
        for offset in range(3):
            # What stands before it shifts base64; only whole groups are the secret's own.
            coded = base64.b64encode(bytes(offset) + plain)[4 if offset else 0 :]
            yield coded[: len(coded) // 4 * 4 - 4]
    yield secret.encode("ascii", "backslashreplace")


def secrets_in(path: Path) -> list[str]:
    data = b"".join(content(file) for file in files_of(path)).lower()
    return [
        secret for secret in SECRETS for spelling in spellings(secret) if spelling.lower() in data
    ]


@pytest.mark.parametrize("spell", range(len(list(spellings(API_KEY)))))
def test_the_search_finds_a_secret_in_every_spelling(path: Path, spell: int) -> None:
    write(path, b"before" + list(spellings(API_KEY))[spell] + b"after")
    assert API_KEY in secrets_in(path)


async def test_no_secret_is_at_rest_during_a_run_or_after_it(path: Path) -> None:
    faults = Faults(
        before={Fault.RESET: 0.3, Fault.GARBAGE: 0.1},
        after={Fault.RESET: 0.3},
        retry_after=None,
    )
    async with (
        Sandbox(api_key=API_KEY, faults=faults, seed=3) as sandbox,
        late_commit_client(sandbox, attempts=2) as client,
        client.create_many(WANTED, journal=path) as run,
    ):
        report = await run.report()
        beside = files_of(path)
        during = secrets_in(path)
    assert report.counts.posted
    assert report.counts.confirmed
    assert report.counts.failed
    assert len(beside) == 2
    assert during == []
    assert secrets_in(path) == []
    assert query(path, "SELECT count(*) FROM creation") == [(len(WANTED),)]


async def test_a_title_is_kept_without_the_secrets_in_it(path: Path) -> None:
    wanted = attrs.evolve(WANTED[0], title=f"To {STREAM_KEY}0 with aQuery-p5")
    async with Sandbox(api_key=API_KEY) as sandbox, late_commit_client(sandbox) as client:
        await client.create_all([wanted], journal=path)
    assert secrets_in(path) == []
    assert query(path, "SELECT title, status FROM creation") == [("To *** with ***", 1)]


async def test_a_title_holds_no_secret_either_where_the_service_masks_it(path: Path) -> None:
    backend = Backend()
    wanted = attrs.evolve(WANTED[0], title=f"To {STREAM_KEY}0")
    backend.add(wanted)
    backend.show = lambda fields: {**fields, "streamKey": f"****{STREAM_KEY[-1]}0"}
    client = in_memory_client(backend)
    client.creator.existence.remember_id(wanted, 1)
    async with client.run(wanted, journal=path, ensure=True) as run:
        report = await run.report()
    assert len(report.created) == 1
    assert query(path, "SELECT title FROM creation") == [("To ***",)]


async def test_equal_stream_keys_of_two_journals_cannot_be_told_to_be_equal(folder: Path) -> None:
    fingerprints: set[str] = set()
    for name in ("a.db", "b.db"):
        async with Journal(folder / name, IDENTITY) as journal:
            journal.end(journal.fingerprint("v1", "url", STREAM_KEY), 0, State.FAILED)
        fingerprints.update(query(folder / name, "SELECT fingerprint FROM creation")[0])
    assert len(fingerprints) == 2
