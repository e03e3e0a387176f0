"""The service does the work, but Varnish cannot bring its answer: created once all the same.

Varnish answers 503 as if nothing had happened. The waits are the client's own, only as short as
the service lets them be; see `Waits`.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from restream_async import BackendFetchFailedError, InternalServerError, Origin, RestreamError
from restream_async.sandbox import Fault, Faults
from tests.helpers.varnish_clients import new
from tests.real.conftest import Staging

IMPATIENT = 0.3
SLOW = 2 * IMPATIENT
LOSING_ONE_ANSWER = [
    Fault.RESET,
    Fault.TRUNCATED,
    Fault.GARBAGE,
    Fault.INTERNAL_ERROR,
    Fault.BACKEND_FETCH_FAILED,
]


def once(fault: Fault) -> Faults:
    """The first creation of a restream is stored, and its answer lost."""
    return Faults(after={fault: 1.0}, max_faults=1)


def slow_at_first() -> Callable[[random.Random], float]:
    def latencies() -> Iterator[float]:
        yield SLOW
        while True:
            yield 0.0

    drawn = latencies()
    return lambda _: next(drawn)


async def test_a_restream_stored_before_varnish_gives_up_is_adopted(staging: Staging) -> None:
    async with staging(first_byte_timeout=IMPATIENT) as scene, scene.client() as client:
        scene.sandbox.faults = once(Fault.HANG)
        restream = await client.create(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]
        assert scene.sandbox.counts.posts == 1


async def test_a_restream_stored_only_after_varnish_gave_up_is_adopted(staging: Staging) -> None:
    async with staging(first_byte_timeout=IMPATIENT) as scene, scene.client() as client:
        scene.sandbox.latency = slow_at_first()
        restream = await client.create(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]
        assert scene.sandbox.counts.posts == 1


async def test_sending_again_without_looking_makes_a_second_restream(staging: Staging) -> None:
    async with (
        staging(first_byte_timeout=IMPATIENT) as scene,
        scene.client(in_doubt="resend") as client,
    ):
        scene.sandbox.faults = once(Fault.HANG)
        await client.create(new())
        assert [len(group) for group in scene.sandbox.duplicates()] == [2]


@pytest.mark.parametrize("fault", LOSING_ONE_ANSWER)
async def test_a_restream_whose_answer_is_broken_is_adopted(staging: Staging, fault: Fault) -> None:
    async with staging() as scene, scene.client() as client:
        scene.sandbox.faults = once(fault)
        restream = await client.create(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]
        assert scene.sandbox.counts.posts == 1


async def test_a_look_finds_what_an_earlier_list_did_not_have(staging: Staging) -> None:
    async with staging() as scene, scene.client() as client:
        scene.sandbox.faults = once(Fault.RESET)
        assert await client.list("v1") == []
        restream = await client.create(new("v1"))
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]


async def test_a_restream_that_was_not_stored_is_sent_again(staging: Staging) -> None:
    async with staging() as scene, scene.client() as client:
        scene.sandbox.faults = Faults(before={Fault.RESET: 1.0}, max_faults=1)
        restream = await client.create(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]
        assert scene.sandbox.counts.posts == 2


async def test_the_last_attempt_is_looked_for_as_well(staging: Staging) -> None:
    async with staging() as scene, scene.client(attempts=1) as client:
        scene.sandbox.faults = once(Fault.RESET)
        restream = await client.create(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.RESET, BackendFetchFailedError), (Fault.INTERNAL_ERROR, InternalServerError)],
)
async def test_what_is_certainly_not_there_is_reported_as_the_service_failed(
    staging: Staging, fault: Fault, kind: type[RestreamError]
) -> None:
    async with staging() as scene, scene.client(attempts=2) as client:
        scene.sandbox.faults = Faults(before={fault: 1.0})
        with pytest.raises(kind):
            await client.create(new())
        assert scene.sandbox.stored == ()


async def test_ensuring_after_a_lost_answer_makes_one_restream(staging: Staging) -> None:
    async with staging() as scene, scene.client() as client:
        scene.sandbox.faults = once(Fault.RESET)
        restream = await client.ensure(new())
        assert [entry.id for entry in scene.sandbox.stored] == [restream.id]


async def test_many_creations_through_all_faults_are_each_made_once(staging: Staging) -> None:
    kinds = dict.fromkeys(Fault, 0.05)
    async with staging(first_byte_timeout=IMPATIENT) as scene, scene.client() as client:
        scene.sandbox.faults = Faults(before=kinds, after=kinds, max_faults=2)
        report = await client.create_all(
            new(f"v{number % 10}", key=f"k{number}") for number in range(100)
        )
        assert report.failed == ()
        assert scene.sandbox.duplicates() == ()
        assert len(scene.sandbox.stored) == 100
        assert {created.origin for created in report.created} == {Origin.POSTED, Origin.CONFIRMED}


async def test_a_toggle_whose_answer_comes_too_late_is_done_once(staging: Staging) -> None:
    async with staging(first_byte_timeout=IMPATIENT) as scene, scene.client() as client:
        restream = await client.create(new())
        scene.sandbox.faults = Faults(other={Fault.HANG: 1.0})
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.toggle(restream.id)
        assert "may have taken effect" in str(caught.value)
        assert scene.sandbox.counts.toggles == 1


async def test_a_toggle_whose_connection_breaks_is_sent_once_but_repeated_by_varnish_itself(
    staging: Staging,
) -> None:
    # No client can guarantee more, and the README says so: Varnish sends a request without a body
    # again when a kept connection to its backend breaks.
    async with staging() as scene, scene.client() as client:
        restream = await client.create(new("v1"))
        await client.list("v1")
        scene.sandbox.faults = Faults(other={Fault.RESET: 1.0}, max_faults=1)
        sent = client.stats().attempts
        with suppress(BackendFetchFailedError):
            await client.toggle(restream.id)
        assert client.stats().attempts == sent + 1
        assert scene.sandbox.counts.toggles == 2
