"""The types of the public names can be read at run time, as frameworks do that inject a client."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, get_type_hints

import pytest

import restream_async
from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async._bulk.run import BulkRun
from restream_async._bulk.undo import Undo, Undone
from restream_async._util.clock import Clock
from restream_async._wanted_state.change_counts import ChangeCounts
from restream_async._wanted_state.run import WantedStateRun
from restream_async.destinations import Destination, KeyFromColumn, KeyFromFile, KeyFromVariable
from restream_async.models import Toggled
from restream_async.stats import Stats

PUBLIC: Final[list[type]] = [
    *(
        value
        for value in (getattr(restream_async, name) for name in restream_async.__all__)
        if inspect.isclass(value)
    ),
    BulkRun,
    BulkCounts,
    ChangeCounts,
    Destination,
    Duplicate,
    KeyFromColumn,
    KeyFromFile,
    KeyFromVariable,
    WantedStateRun,
    Stats,
    Clock,
    Toggled,
    Undo,
    Undone,
]


def functions_of(kind: type) -> Iterator[Callable[..., Any]]:
    for value in vars(kind).values():
        member = getattr(value, "__func__", value)
        if isinstance(member, property) and member.fget is not None:
            member = member.fget
        if inspect.isfunction(member):
            yield member


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_the_types_of_a_public_class_can_be_read(kind: type) -> None:
    get_type_hints(kind)
    for function in functions_of(kind):
        get_type_hints(function)


def test_what_a_client_returns_is_known_at_run_time() -> None:
    client = restream_async.RestreamClient
    assert get_type_hints(client.create_many)["return"] is BulkRun
    assert get_type_hints(client.create_all)["return"] is restream_async.BulkReport
    assert get_type_hints(client.plan)["return"] is WantedStateRun
    assert get_type_hints(client.apply)["return"] is WantedStateRun
    assert get_type_hints(client.undo)["return"] is Undo
    assert get_type_hints(client.list)["return"] == list[restream_async.Restream]
