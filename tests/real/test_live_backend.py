"""Varnish passes everything on, and caches nothing."""

from restream_async import Origin
from tests.helpers.varnish_clients import STREAM_KEY, new
from tests.real.conftest import OpenVarnishSetup


async def test_a_restream_is_created(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        restream = await client.create(new("v1"))
        stored = setup.sandbox.stored
    assert [(entry.id, entry.video_id, entry.stream_key) for entry in stored] == [
        (restream.id, "v1", STREAM_KEY)
    ]
    assert restream.stream_key == STREAM_KEY
    assert restream.status is True


async def test_many_restreams_are_created_at_once(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        report = await client.create_all(new(f"v{number}") for number in range(50))
        assert report.failed == ()
        assert {created.origin for created in report.created} == {Origin.POSTED}
        assert {entry.video_id for entry in setup.sandbox.stored} == {
            f"v{number}" for number in range(50)
        }
        assert len(setup.sandbox.stored) == 50


async def test_a_list_is_never_served_stale(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        before = await client.list("v1")
        restream = await client.create(new("v1"))
        assert before == []
        assert await client.list("v1") == [restream]


async def test_a_restream_is_toggled_there_and_back(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        restream = await client.create(new())
        assert (await client.toggle(restream.id)).status is False
        assert setup.sandbox.stored[0].status is False
        assert (await client.toggle(restream.id)).status is True


async def test_a_deleted_restream_is_gone(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        restream = await client.create(new("v1"))
        assert await client.delete(restream.id) is True
        assert await client.list("v1") == []
        assert setup.sandbox.stored == ()


async def test_ensuring_twice_makes_one_restream(varnish_setup: OpenVarnishSetup) -> None:
    async with varnish_setup() as setup, setup.client() as client:
        first = await client.ensure(new())
        assert await client.ensure(new()) == first
        assert len(setup.sandbox.stored) == 1


async def test_a_video_id_of_any_characters_arrives_as_it_is(
    varnish_setup: OpenVarnishSetup,
) -> None:
    video_id = "a/b ?c=d&e#f%2F;ü"
    async with varnish_setup() as setup, setup.client() as client:
        restream = await client.create(new(video_id))
        assert setup.sandbox.stored[0].video_id == video_id
        assert await client.list(video_id) == [restream]
