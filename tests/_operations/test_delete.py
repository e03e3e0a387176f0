import pytest

from restream_async._operations.delete import delete
from restream_async._retry.classification import value_or_raise
from restream_async.errors import BackendFetchFailedError, BadRequestError, NotFoundError
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.journal_clients import late_commit_client


async def deleted(backend: Backend) -> bool:
    client = in_memory_client(backend)
    return value_or_raise(
        await delete(client.executor, client.api, 1, client.executor.begin_call())
    )


@pytest.fixture
def backend() -> Backend:
    backend = Backend()
    backend.add(new())
    return backend


@pytest.mark.parametrize(
    "fates",
    [
        [],
        [Fate.LOST_BEFORE],
        [Fate.LOST_AFTER],
        [Fate.LOST_AFTER, Fate.TURNED_AWAY],
        [Fate.UNSENT, Fate.LOST_AFTER],
    ],
)
async def test_a_deletion_is_repeated_until_it_is_known_to_be_done(
    backend: Backend, fates: list[Fate]
) -> None:
    backend.meets("DELETE", *fates)
    assert await deleted(backend) is True
    assert backend.stored == []


async def test_a_restream_that_never_was_there_is_not_called_deleted(backend: Backend) -> None:
    backend.stored.clear()
    with pytest.raises(NotFoundError):
        await deleted(backend)
    assert backend.count("DELETE") == 1


@pytest.mark.parametrize("fate", [Fate.TURNED_AWAY, Fate.UNSENT])
async def test_an_attempt_that_certainly_did_nothing_does_not_count_as_the_one_that_deleted(
    backend: Backend, fate: Fate
) -> None:
    backend.stored.clear()
    backend.meets("DELETE", fate)
    with pytest.raises(NotFoundError):
        await deleted(backend)


async def test_a_refusal_is_raised_at_once(backend: Backend) -> None:
    backend.meets("DELETE", Fate.REFUSED)
    with pytest.raises(BadRequestError):
        await deleted(backend)
    assert backend.count("DELETE") == 1


async def test_a_deletion_that_is_never_answered_fails(backend: Backend) -> None:
    backend.meets("DELETE", *[Fate.LOST_AFTER, Fate.LOST_BEFORE, Fate.LOST_BEFORE])
    with pytest.raises(BackendFetchFailedError):
        await deleted(backend)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.GARBAGE, Fault.TRUNCATED])
async def test_a_deletion_whose_answer_is_lost_on_the_wire_is_done(fault: Fault) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        restream = await client.create(new())
        sandbox.faults = Faults(other={fault: 1.0}, max_faults=1)
        assert await client.delete(restream.id) is True
        assert sandbox.stored == ()
        assert sandbox.counts.deletes == 2
