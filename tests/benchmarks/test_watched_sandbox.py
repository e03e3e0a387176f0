from benchmarks.watched_sandbox import Watch
from restream_async.sandbox import Sandbox
from tests.helpers.clients import client_of
from tests.helpers.samples import new_restream

NEW = new_restream()


async def test_a_destination_that_is_gone_for_a_moment_is_noticed() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        watch = Watch.over(sandbox)
        watch.expect([NEW])
        first = await client.create(NEW)
        assert watch.gaps == [], "it did not exist before"
        await client.delete(first.id)
        await client.create(NEW)
        assert watch.gaps == ["YouTube of v1 is gone"]


async def test_a_destination_whose_key_is_replaced_in_the_right_order_is_never_gone() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        watch = Watch.over(sandbox)
        first = await client.create(NEW)
        watch.expect([NEW])
        await client.create(new_restream(stream_key="another"))
        await client.delete(first.id)
        assert watch.gaps == []
        assert watch.requests == 3


async def test_a_request_is_known_before_and_after_its_effect() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        watch = Watch.over(sandbox)
        seen: list[tuple[str, int]] = []
        watch.at_request(2, lambda moment: seen.append((moment, len(watch.store))))
        for number in range(3):
            await client.create(new_restream(f"v{number}"))
        assert seen == [("before", 1), ("after", 2)]
