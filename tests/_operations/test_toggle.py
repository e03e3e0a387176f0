import pytest

from restream_async._operations.toggle import toggle
from restream_async.models import Toggled
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.in_memory_service import Fate, in_memory_client
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.samples import new_restream
from tests.helpers.status_setter import one_active


@pytest.mark.parametrize("fault", [Fault.INTERNAL_ERROR, Fault.RESET, Fault.GARBAGE])
async def test_a_toggle_whose_answer_is_lost_flips_once(fault: Fault) -> None:
    async with (
        Sandbox(faults=Faults(other={fault: 1.0})) as sandbox,
        leak_checked_client(sandbox) as client,
    ):
        restream = await client.create(new_restream(status=True))
        with pytest.raises(Exception, match="was not sent again"):
            await client.toggle(restream.id)

    assert sandbox.counts.toggles == 1
    assert [stored.status for stored in sandbox.stored] == [False]


@pytest.mark.parametrize("fate", [Fate.TURNED_AWAY, Fate.UNSENT])
async def test_a_toggle_that_certainly_did_nothing_is_sent_again(fate: Fate) -> None:
    backend = one_active()
    backend.meets("PUT", fate)
    client = in_memory_client(backend)
    result = await toggle(client.executor, client.api, 1, client.executor.begin_call())

    assert result == Toggled(id=1, status=False)
    assert [request.method for request in backend.sent] == ["PUT", "PUT"]
