"""A wrong key is not tried on every item, and nothing that it stopped is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from restream_async import (
    Created,
    Failed,
    ForbiddenError,
    NotSentError,
    UnauthorizedError,
)
from tests._bulk.test_run import by_video
from tests.helpers.client_calls import collect
from tests.helpers.leak_checks import assert_nothing_left, client_of
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import answer, as_asked, many

if TYPE_CHECKING:
    from pathlib import Path

    from restream_async import Outcome

NO = {401: answer(b"", "401 Unauthorized"), 403: answer(b"", "403 Forbidden")}


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize(("status", "kind"), [(401, UnauthorizedError), (403, ForbiddenError)])
async def test_a_wrong_key_stops_the_run(
    status: int,
    kind: type[UnauthorizedError | ForbiddenError],
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j" if journaled else None
    outcomes: list[Outcome] = []
    async with RawServer(post=NO[status]) as server, client_of(server, max_in_flight=8) as client:
        with pytest.raises(kind) as caught:
            await asyncio.wait_for(collect(client, many(1000), outcomes, journal), 20)
        await assert_nothing_left(client)
    assert "correct the API key" in caught.value.__notes__[0]
    assert 5 <= server.counts["POST"] <= 5 + 8
    errors = [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)]
    assert errors.count(kind) == server.counts["POST"]
    assert errors.count(NotSentError) == len(outcomes) - server.counts["POST"]


async def test_the_journal_has_what_was_refused_tried_again(tmp_path: Path) -> None:
    wrong = True

    async def act(peer: Any, seen: Any) -> None:  # noqa: ANN401 - of the raw server
        if wrong:
            await peer.write(NO[401])
        else:
            await as_asked(peer, seen)

    async with RawServer(post=act) as server, client_of(server, max_in_flight=8) as client:
        with pytest.raises(UnauthorizedError):
            await client.create_all(many(50), journal=tmp_path / "j")
        wrong = False
        report = await client.create_all(many(50), journal=tmp_path / "j")

    assert len(report.created) == 50
    assert "GET" not in server.counts, "nothing of it was in doubt"


async def test_a_few_items_that_are_forbidden_do_not_stop_it() -> None:
    steps = by_video(**{f"v{number}": NO[403] for number in range(10, 20)})
    outcomes: list[Outcome] = []
    async with RawServer(post=steps) as server, client_of(server, max_in_flight=1) as client:
        await collect(client, many(30), outcomes)

    assert sum(isinstance(outcome, Created) for outcome in outcomes) == 20
