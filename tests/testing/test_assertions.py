"""What `assert_stored` says of each difference."""

import asyncio
from typing import Any

import pytest

from restream_async import NewRestream
from restream_async.testing import MemorySandbox, assert_stored, sandbox_client
from tests.helpers.examples import STREAM_KEY, new, stored


def having(*restreams: NewRestream) -> MemorySandbox:
    """Return a sandbox that has these restreams, with the ids 1, 2, ..."""
    sandbox = MemorySandbox()

    async def create() -> None:
        async with sandbox_client(sandbox) as client:
            for restream in restreams:
                await client.create(restream)

    asyncio.run(create())
    return sandbox


def lines_about(sandbox: MemorySandbox, *wanted: NewRestream) -> list[str]:
    with pytest.raises(AssertionError) as raised:
        assert_stored(sandbox, wanted)
    text = str(raised.value)
    assert STREAM_KEY not in text
    return text.splitlines()


def shown(**changes: Any) -> str:  # noqa: ANN401 - the fields of a restream
    return repr(new(**changes))


def test_the_same_restreams_in_any_order_are_no_difference() -> None:
    first, second = new(), new(video_id="v2")

    assert_stored(having(first, second), iter([second, first]))
    assert_stored(having(first, first), [first, first])
    assert_stored(having(), [])


def test_every_kind_of_difference_is_named_once() -> None:
    sandbox = having(
        new(video_id="twice"),
        new(video_id="twice"),
        new(video_id="titled", title="Old"),
        new(video_id="off", status=False),
        new(video_id="extra"),
        new(video_id="key", stream_key=f"{STREAM_KEY}-old"),
        new(video_id="right"),
    )

    lines = lines_about(
        sandbox,
        *(new(video_id=name) for name in ("missing", "twice", "titled", "off", "key", "right")),
    )

    assert lines == [
        "the sandbox has 7 restreams, and 6 were wanted:",
        f"  stored 2 times instead of 1 (ids 1, 2): {shown(video_id='twice')}",
        f"  title is 'Old' instead of 'YouTube' (id 3): {shown(video_id='titled')}",
        f"  status is False instead of True (id 4): {shown(video_id='off')}",
        f"  missing: {shown(video_id='missing')}",
        f"  has another stream key (id 6): {shown(video_id='key')}",
        f"  not wanted: {stored(id=5, video_id='extra')!r}",
    ]


def test_what_is_wanted_twice_must_be_stored_twice() -> None:
    assert lines_about(having(new()), new(), new()) == [
        "the sandbox has 1 restreams, and 2 were wanted:",
        f"  missing: {shown()}",
    ]


def test_a_stream_key_in_a_title_is_masked() -> None:
    sandbox = having(new(title=f"{STREAM_KEY} old"))

    [_, line] = lines_about(sandbox, new(title=f"{STREAM_KEY} new"))

    assert line.startswith("  title is '*** old' instead of '*** new' (id 1): ")
