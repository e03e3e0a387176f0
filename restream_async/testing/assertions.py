"""A check of what a sandbox has stored, which shows every difference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import attrs

from restream_async._util.redaction import redact_values
from restream_async.models import NewRestream, Restream
from restream_async.sandbox import Sandbox, Stored
from restream_async.testing.memory import MemorySandbox

_Key: TypeAlias = tuple[str, str, str]


def assert_stored(sandbox: Sandbox | MemorySandbox, wanted: Iterable[NewRestream]) -> None:
    """Check that a sandbox has exactly the wanted restreams, each once, in any order.

    A restream is the same if it has the same video id, stream URL and stream key; then its title
    and its status must be the same too. An item that is wanted twice must be stored twice.

    Raises:
        AssertionError: names each restream that is missing, not wanted, stored too often, or has
            another title, status or stream key. It shows no stream key.

    """
    # pytest shows the line that calls this function.
    __tracebackhide__ = True
    stored = sandbox.stored
    wanted = tuple(wanted)
    if differences := [*_differences(stored, wanted)]:
        head = f"the sandbox has {len(stored)} restreams, and {len(wanted)} were wanted:"
        raise AssertionError("\n  ".join([head, *differences]))


def _differences(stored: Iterable[Stored], wanted: Iterable[NewRestream]) -> Iterator[str]:
    has: defaultdict[_Key, list[Restream]] = defaultdict(list)
    for each in stored:
        has[_key(each)].append(Restream(**attrs.asdict(each)))
    asked: defaultdict[_Key, list[NewRestream]] = defaultdict(list)
    for new in wanted:
        asked[_key(new)].append(new)
    missing = [new for key, news in asked.items() for new in news[len(has[key]) :]]
    for key, news in asked.items():
        for new, item in zip(news, has[key], strict=False):
            yield from _changed(new, item)
        if len(has[key]) > len(news):
            ids = ", ".join(str(item.id) for item in has[key])
            times = f"stored {len(has[key])} times instead of {len(news)}"
            yield f"{times} (ids {ids}): {news[0]!r}"
    extra = [item for key, items in has.items() if key not in asked for item in items]
    for new in missing:
        other = next((item for item in extra if _place(item) == _place(new)), None)
        if other is None:
            yield f"missing: {new!r}"
        else:
            extra.remove(other)
            yield f"has another stream key (id {other.id}): {new!r}"
    for item in extra:
        yield f"not wanted: {item!r}"


def _changed(new: NewRestream, item: Restream) -> Iterator[str]:
    names = [name for name in ("title", "status") if getattr(new, name) != getattr(item, name)]
    secrets = (*new.secrets, *item.secrets)
    for name in names:
        found, asked = redact_values([getattr(item, name), getattr(new, name)], secrets)
        yield f"{name} is {found!r} instead of {asked!r} (id {item.id}): {new!r}"


def _key(item: NewRestream | Stored) -> _Key:
    return (item.video_id, item.stream_url, item.stream_key)


def _place(item: NewRestream | Restream) -> tuple[str, str]:
    return (item.video_id, item.stream_url)
