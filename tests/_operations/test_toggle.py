import pytest

from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.samples import new_restream


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
