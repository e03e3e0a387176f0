"""The service does the work, but Varnish cannot bring its answer: created once all the same.

Varnish answers 503 as if nothing had happened. The waits are the client's own, only as short as
the service lets them be; see `VarnishSetup.client`.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import attrs
import pytest

from restream_async import (
    BackendFetchFailedError,
    InternalServerError,
    MalformedResponseError,
    Origin,
    RestreamError,
)
from restream_async.sandbox import Fault, Faults
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import SleeplessClock
from tests.helpers.varnish_clients import new
from tests.real.conftest import OpenVarnishSetup

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


async def test_a_restream_stored_before_varnish_gives_up_is_adopted(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(first_byte_timeout=IMPATIENT) as setup, setup.client() as client:
        setup.sandbox.faults = once(Fault.HANG)
        restream = await client.create(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]
        assert setup.sandbox.counts.posts == 1


async def test_a_restream_stored_only_after_varnish_gave_up_is_adopted(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(first_byte_timeout=IMPATIENT) as setup, setup.client() as client:
        setup.sandbox.latency = slow_at_first()
        restream = await client.create(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]
        assert setup.sandbox.counts.posts == 1


async def test_sending_again_without_a_check_creates_a_second_restream(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with (
        varnish_setup(first_byte_timeout=IMPATIENT) as setup,
        setup.client(in_doubt="resend") as client,
    ):
        setup.sandbox.faults = once(Fault.HANG)
        await client.create(new())
        assert [len(group) for group in setup.sandbox.duplicates()] == [2]


@pytest.mark.parametrize("fault", LOSING_ONE_ANSWER)
async def test_a_restream_whose_answer_is_broken_is_adopted(
    varnish_setup: OpenVarnishSetup, fault: Fault
) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        setup.sandbox.faults = once(fault)
        restream = await client.create(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]
        assert setup.sandbox.counts.posts == 1


async def test_a_check_finds_a_restream_that_an_earlier_list_did_not_have(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        setup.sandbox.faults = once(Fault.RESET)
        assert await client.list("v1") == []
        restream = await client.create(new("v1"))
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]


async def test_a_restream_that_was_not_stored_is_sent_again(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        setup.sandbox.faults = Faults(before={Fault.RESET: 1.0}, max_faults=1)
        restream = await client.create(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]
        assert setup.sandbox.counts.posts == 2


async def test_the_last_attempt_is_checked_too(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client(attempts=1) as client:
        setup.sandbox.faults = once(Fault.RESET)
        restream = await client.create(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.RESET, BackendFetchFailedError), (Fault.INTERNAL_ERROR, InternalServerError)],
)
async def test_a_restream_that_does_not_exist_is_reported_with_the_last_failure(
    varnish_setup: OpenVarnishSetup, fault: Fault, kind: type[RestreamError]
) -> None:
    async with varnish_setup() as setup, setup.client(attempts=2) as client:
        setup.sandbox.faults = Faults(before={fault: 1.0})
        with pytest.raises(kind):
            await client.create(new())
        assert setup.sandbox.stored == ()


async def test_ensuring_after_a_lost_answer_makes_one_restream(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        setup.sandbox.faults = once(Fault.RESET)
        restream = await client.ensure(new())
        assert [entry.id for entry in setup.sandbox.stored] == [restream.id]


async def test_many_creations_through_all_faults_are_each_made_once(
    varnish_setup: OpenVarnishSetup,
) -> None:
    kinds = dict.fromkeys(Fault, 0.05)
    async with varnish_setup(first_byte_timeout=IMPATIENT) as setup, setup.client() as client:
        setup.sandbox.faults = Faults(before=kinds, after=kinds, max_faults=2)
        report = await client.create_all(
            new(f"v{number % 10}", key=f"k{number}") for number in range(100)
        )
        assert report.failed == ()
        assert setup.sandbox.duplicates() == ()
        assert len(setup.sandbox.stored) == 100
        assert {created.origin for created in report.created} == {Origin.POSTED, Origin.CONFIRMED}


async def test_a_toggle_whose_answer_comes_too_late_is_done_once(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(first_byte_timeout=IMPATIENT) as setup, setup.client() as client:
        restream = await client.create(new())
        setup.sandbox.faults = Faults(other={Fault.HANG: 1.0})
        with pytest.raises(BackendFetchFailedError) as caught:
            await client.toggle(restream.id)
        assert "may have taken effect" in str(caught.value)
        assert setup.sandbox.counts.toggles == 1


async def test_a_toggle_whose_connection_breaks_is_sent_once_but_repeated_by_varnish_itself(
    varnish_setup: OpenVarnishSetup,
) -> None:
    # No client can guarantee more, and the README says so: Varnish sends a request without a body
    # again when a kept connection to its backend breaks.
    async with varnish_setup() as setup, setup.client() as client:
        restream = await client.create(new("v1"))
        await client.list("v1")
        setup.sandbox.faults = Faults(other={Fault.RESET: 1.0}, max_faults=1)
        sent = client.stats().attempts
        with suppress(BackendFetchFailedError):
            await client.toggle(restream.id)
        assert client.stats().attempts == sent + 1
        assert setup.sandbox.counts.toggles == 2


@pytest.mark.parametrize("on", [True, False])
async def test_a_status_is_set_although_varnish_repeats_the_toggle(
    varnish_setup: OpenVarnishSetup, *, on: bool
) -> None:
    async with varnish_setup() as setup:

        async def recover() -> None:
            setup.sandbox.faults = Faults()

        async with client_of(setup.base_url, clock=SleeplessClock(meanwhile=recover)) as client:
            restream = await client.create(attrs.evolve(new("v1"), status=not on))
            setup.sandbox.faults = Faults(other={Fault.RESET: 1.0}, max_faults=1)
            after = await client.set_status(restream, on)
        assert after == attrs.evolve(restream, status=on)
        assert setup.sandbox.stored[0].status is on
        assert setup.sandbox.counts.toggles == 3, "two by Varnish, which undid each other"


async def test_a_toggle_that_varnish_always_repeats_is_an_error(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup() as setup, setup.client(attempts=2) as client:
        restream = await client.create(new("v1"))
        setup.sandbox.faults = Faults(other={Fault.RESET: 1.0}, max_faults=1)
        with pytest.raises(MalformedResponseError) as caught:
            await client.set_status(restream, on=False)
        assert str(caught.value) == (
            "the answer cannot be read (the toggle was answered, but the restream is active): "
            f"PUT /api/v1/p1/restreams/{restream.id}/toggle, 2 attempts"
        )
        assert setup.sandbox.stored[0].status is True
        assert setup.sandbox.counts.toggles == 4


async def test_a_status_whose_toggle_is_answered_too_late_is_set_once(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(first_byte_timeout=IMPATIENT) as setup, setup.client() as client:
        restream = await client.create(new())
        setup.sandbox.faults = Faults(other={Fault.HANG: 1.0})
        after = await client.set_status(restream, on=False)
        assert after == attrs.evolve(restream, status=False)
        assert setup.sandbox.counts.toggles == 1
