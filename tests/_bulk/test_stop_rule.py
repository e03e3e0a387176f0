"""A run stops by itself where everything else would fail as well, and not before."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from restream_async import Created, Failed, NotSentError, Outcome
from restream_async._bulk.stop_rule import StopRule
from restream_async.errors import (
    BadRequestError,
    Call,
    CertificateError,
    ForbiddenError,
    OutageError,
    RestreamError,
    UnauthorizedError,
)
from tests.helpers.bulk_inputs import by_video
from tests.helpers.client_calls import collect
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import answer, as_asked, many

CALL = Call("POST", "/x")
UNAUTHORIZED = UnauthorizedError(CALL, status=401)
FORBIDDEN = ForbiddenError(CALL, status=403)
BAD = BadRequestError(CALL, status=400)


def stops(refusals: StopRule, *errors: RestreamError) -> list[bool]:
    return [refusals.stops(error) for error in errors]


@pytest.mark.parametrize("kind", [UnauthorizedError, ForbiddenError])
def test_five_refusals_in_a_row_stop_it_once_and_say_why(
    kind: type[UnauthorizedError | ForbiddenError],
) -> None:
    error = kind(CALL, status=401)
    assert stops(StopRule(), *[error] * 7) == [False] * 4 + [True] + [False] * 2
    [note] = error.__notes__
    assert note == "the run stopped after 5 refusals in a row: correct the API key, and run again"


def test_a_success_in_between_shows_that_the_key_is_right() -> None:
    refusals = StopRule()
    assert not any(stops(refusals, *[UNAUTHORIZED] * 4))
    refusals.succeeded()
    assert stops(refusals, *[UNAUTHORIZED] * 5) == [False] * 4 + [True]


def test_403_after_any_success_is_about_the_item() -> None:
    refusals = StopRule()
    refusals.succeeded()
    assert not any(stops(refusals, *[FORBIDDEN] * 20))


def test_another_failure_in_between_is_no_success() -> None:
    assert stops(StopRule(), *[UNAUTHORIZED, BAD] * 5)[-2:] == [True, False]


@pytest.mark.parametrize(
    ("error", "at_once"),
    [
        (CertificateError(CALL, detail="", sent=False), True),
        (OutageError(CALL, reached=False), True),
        (OutageError(CALL), False),
        (BAD, False),
    ],
    ids=["certificate", "never reached", "outage", "bad request"],
)
def test_what_no_item_can_get_past_stops_it_at_once(error: RestreamError, at_once: bool) -> None:  # noqa: FBT001 - a parameter
    assert StopRule().stops(error) is at_once


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
    async with (
        RawServer(post=NO[status]) as server,
        leak_checked_client(server, max_in_flight=8) as client,
    ):
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

    async with (
        RawServer(post=act) as server,
        leak_checked_client(server, max_in_flight=8) as client,
    ):
        with pytest.raises(UnauthorizedError):
            await client.create_all(many(50), journal=tmp_path / "j")
        wrong = False
        report = await client.create_all(many(50), journal=tmp_path / "j")

    assert len(report.created) == 50
    assert "GET" not in server.counts, "nothing of it was in doubt"


async def test_a_few_items_that_are_forbidden_do_not_stop_it() -> None:
    steps = by_video(**{f"v{number}": NO[403] for number in range(10, 20)})
    outcomes: list[Outcome] = []
    async with (
        RawServer(post=steps) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        await collect(client, many(30), outcomes)

    assert sum(isinstance(outcome, Created) for outcome in outcomes) == 20
