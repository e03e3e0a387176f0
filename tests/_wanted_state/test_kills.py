"""An apply that is killed at any moment, and run again: the wanted state, and no gap on the way."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from restream_async import Action
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.journal_disk import copy_of, states
from tests.helpers.wanted_states import apply_of, changes_of, state_of, want, wanted_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from restream_async import NewRestream
    from restream_async._http.messages import NoResponse, Request, Response

BEFORE = [
    want("old", title="A"),
    want("off", title="B", status=False),
    want("extra", title="X"),
    want("old", video="v2", title="A"),
    want("twice", video="v2", title="T"),
    want("twice", video="v2", title="T"),
]
WANTED = [
    want("new", title="A"),
    want("off", title="B"),
    want("more", title="C"),
    want("new", video="v2", title="A"),
    want("twice", video="v2", title="T", status=False),
]
ROTATED = {("v1", "A"), ("v2", "A")}


class Mortal(Backend):
    """Knows when each rotated destination would have neither the old restream nor the new one.

    At a chosen moment the client is dead: what has arrived is done or lost, and nothing more
    arrives.
    """

    def __init__(self, moment: int = 0, *, served: bool = False) -> None:
        super().__init__()
        for new in BEFORE:
            self.add(new)
        self.moment = moment
        self.served = served
        self.events = 0
        self.dead = False
        self.on_death: Callable[[], None] = lambda: None
        self.watch = self.watch_answer = self._look

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        if self.dead:
            await asyncio.Event().wait()
        return await super().send(request, timeout)

    def revive(self) -> None:
        """Let another client reach it."""
        self.dead, self.moment = False, 0
        self.arrived.clear()
        self.fates.clear()

    def _look(self, _: str) -> None:
        self.check()
        self.events += 1
        if self.events == self.moment:
            self.dead = True
            self.abandon(served=self.served)
            self.check()
            self.on_death()

    def check(self) -> None:
        assert {(each.video_id, each.title) for each in self.stored} >= ROTATED


def with_faults(backend: Backend, seed: int) -> None:
    """Let 5 % of the requests fail before their effect, and 8 % after it."""
    chance = random.Random(seed)  # noqa: S311 - faults, not secrets

    def choose(request: Request) -> Fate:
        drawn = chance.random()
        if drawn < 0.05:
            return Fate.LOST_BEFORE
        return Fate.LOST_AFTER if drawn < 0.13 and request.method != "GET" else Fate.DONE

    backend.choose = choose


async def killed(backend: Mortal, path: Path, wanted: list[NewRestream]) -> Path:
    """Run an apply until it dies; return the journal as it was on the disk then."""
    left = path

    def die() -> None:
        nonlocal left
        left = copy_of(path)
        task.cancel()

    backend.on_death = die
    run = apply_of(in_memory_client(backend, limit=3), wanted, journal=path)
    task = asyncio.create_task(changes_of(run))
    await asyncio.wait([task])
    assert task.cancelled() == backend.dead
    return left


async def all_events() -> int:
    """Return how many moments there are in an apply that is not killed."""
    backend = Mortal()
    await changes_of(apply_of(in_memory_client(backend, limit=3), WANTED))
    assert state_of(backend.stored) == wanted_state(WANTED)
    return backend.events


@pytest.mark.parametrize("served", [False, True])
async def test_killed_at_any_request_and_run_again_it_ends_in_the_wanted_state(
    path: Path, *, served: bool
) -> None:
    for moment in range(1, await all_events() + 1):
        backend = Mortal(moment, served=served)
        journal = await killed(backend, path.with_suffix(f".{moment}"), WANTED)
        assert backend.dead
        backend.revive()
        changes = await changes_of(apply_of(in_memory_client(backend), WANTED, journal=journal))
        assert not [change.error for change in changes if change.error is not None]
        backend.check()
        assert state_of(backend.stored) == wanted_state(WANTED)
        assert "intended" not in {state for _, state in states(journal)}
        backend.sent.clear()
        changes = await changes_of(apply_of(in_memory_client(backend), WANTED, journal=journal))
        assert {change.action for change in changes} == {Action.KEEP}
        assert {request.method for request in backend.sent} == {"GET"}


async def test_killed_again_and_again_under_faults_it_ends_in_the_wanted_state(path: Path) -> None:
    for seed in range(12):
        backend = Mortal()
        with_faults(backend, seed)
        chance = random.Random(seed)  # noqa: S311 - moments, not secrets
        journal = path.with_suffix(f".{seed}")
        for _ in range(3):
            backend.revive()
            backend.moment = backend.events + chance.randrange(1, 25)
            backend.served = chance.random() < 0.5
            journal = await killed(backend, journal, WANTED)
        backend.revive()
        client = in_memory_client(backend, attempts=20)
        changes = await changes_of(apply_of(client, WANTED, journal=journal))
        assert not [change.error for change in changes if change.error is not None]
        assert state_of(backend.stored) == wanted_state(WANTED)


@pytest.mark.parametrize("served", [False, True])
async def test_cancelled_at_any_request_it_leaves_no_gap_and_no_open_intent_without_reason(
    path: Path, *, served: bool
) -> None:
    for moment in range(1 + served, await all_events() + 1, 2):
        backend = Mortal(moment, served=served)
        journal = path.with_suffix(f".{moment}")
        await killed(backend, journal, WANTED)
        backend.revive()
        await changes_of(apply_of(in_memory_client(backend), WANTED, journal=journal))
        assert state_of(backend.stored) == wanted_state(WANTED)
        assert "intended" not in {state for _, state in states(journal)}
