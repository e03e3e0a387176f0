"""The four calls of a client, by name, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import pytest

from restream_async import Created, RestreamClient, RestreamError
from tests.helpers.samples import new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from restream_async import NewRestream, Outcome

_E = TypeVar("_E", bound=RestreamError)

CALLS: Final[Mapping[str, Callable[[RestreamClient], Awaitable[object]]]] = {
    "create": lambda client: client.create(new_restream()),
    "list": lambda client: client.list("v1"),
    "toggle": lambda client: client.toggle(7),
    "delete": lambda client: client.delete(7),
}
METHODS: Final[Mapping[str, str]] = {
    "create": "POST",
    "list": "GET",
    "toggle": "PUT",
    "delete": "DELETE",
}


async def failure_of(call: Awaitable[object], kind: type[_E]) -> _E:
    """Return the error of a call that must fail with exactly this type."""
    with pytest.raises(kind) as caught:
        await call
    assert type(caught.value) is kind
    return caught.value


async def outcomes_of(
    client: RestreamClient,
    requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
) -> list[Outcome]:
    """Run them all, and return the outcomes in the order in which they finish."""
    async with client.create_many(requests) as run:
        return [outcome async for outcome in run]


async def collect(
    client: RestreamClient,
    requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
    outcomes: list[Outcome],
    journal: Path | None = None,
) -> None:
    """Run them all, and keep the outcomes even if it ends in an exception."""
    async with client.create_many(requests, journal=journal) as run:
        async for outcome in run:
            outcomes.append(outcome)  # noqa: PERF401 - a comprehension would lose them


async def created_by(client: RestreamClient, new: NewRestream) -> Created:
    """Create one as a bulk run does, which tells more than `create`."""
    [outcome] = await outcomes_of(client, [new])
    assert isinstance(outcome, Created)
    return outcome
