"""The input of a plan: read to its end, grouped by video, and free of contradictions."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from restream_async import InvalidRestreamError, NewRestream
from restream_async._wanted_state.wanted_videos import WantedInput, WantedVideo
from tests.helpers.wanted_states import want


async def read(*wanted: NewRestream) -> list[WantedVideo]:
    source = WantedInput(wanted)
    await source.read(set())
    return source.take_videos()


async def test_items_are_grouped_by_video_in_the_order_of_the_input() -> None:
    items = [want("a", video="v2"), want("a"), want("b", video="v2"), want("b")]
    assert await read(*items) == [
        WantedVideo((items[0], items[2])),
        WantedVideo((items[1], items[3])),
    ]


async def test_equal_items_are_wanted_once() -> None:
    [video] = await read(want(), want(), want(url="RTMPS://live.example:443/app/"))
    assert video.wanted == (want(),)


@pytest.mark.parametrize(
    ("second", "field"), [(want(title="Twitch"), "title"), (want(status=False), "status")]
)
async def test_a_contradiction_is_an_error_that_names_the_item(
    second: NewRestream, field: str
) -> None:
    with pytest.raises(InvalidRestreamError, match="contradicts an earlier item") as caught:
        await read(want(), want("b"), second)
    assert caught.value.field == field
    assert "item 2" in str(caught.value)


async def test_the_error_shows_no_secret() -> None:
    secret = want(title="stream-key-a", status=False)
    with pytest.raises(InvalidRestreamError) as caught:
        await read(want(title="stream-key-a"), secret)
    assert "stream-key-a" not in str(caught.value)


async def test_two_spellings_of_one_video_are_an_error() -> None:
    with pytest.raises(InvalidRestreamError, match="item 1 differs only in case") as caught:
        await read(want(video="v1"), want("b", video="V1"))
    assert caught.value.field == "video_id"


async def test_what_is_no_restream_is_an_error() -> None:
    with pytest.raises(TypeError, match="item 1 of the input is a str"):
        await read(want(), "v1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_an_error_of_the_input_is_raised_and_the_input_is_closed() -> None:
    closed = False

    async def items() -> AsyncIterator[NewRestream]:
        nonlocal closed
        try:
            yield want()
            raise LookupError("the file is gone")
        finally:
            closed = True

    with pytest.raises(LookupError, match="the file is gone"):
        await WantedInput(items()).read(set())
    assert closed


async def test_other_tasks_run_while_a_long_input_is_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def items() -> Iterator[NewRestream]:
        for number in range(2000):
            yield want(str(number))

    task = asyncio.create_task(others())
    await WantedInput(items()).read(set())
    task.cancel()
    assert turns > 10


async def test_a_reader_that_other_code_cancels_is_an_error() -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def items() -> AsyncIterator[NewRestream]:
        yield want()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="cancelled from outside"):
        await WantedInput(items()).read(tasks)
