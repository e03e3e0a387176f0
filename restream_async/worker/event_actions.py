"""Enables, disables or deletes the restreams of a live video that match destinations."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from restream_async._operations.matching import Match, match
from restream_async.changes import Action
from restream_async.errors import NotFoundError, RestreamError
from restream_async.handling.message_handler import Client
from restream_async.models import NewRestream, Restream
from restream_async.worker.platform_events import Task

_log: Final = logging.getLogger("restream_async.worker")


class EventClient(Client, Protocol):
    """The part of a `RestreamClient` that events need."""

    async def list(self, video_id: str) -> "Sequence[Restream]":
        """Return the restreams of a live video."""
        ...

    async def set_status(self, restream: Restream, on: bool) -> Restream:  # noqa: FBT001 - as the client has it
        """Enable or disable a restream."""
        ...

    async def delete(self, restream_id: int | str) -> bool:
        """Delete a restream."""
        ...


async def change_existing(client: EventClient, task: Task) -> list[RestreamError]:
    """Carry out a task other than `CREATE`, and return what failed.

    A restream or a video that does not exist is done. A restream that the service does not show in
    full is left alone, because it may be another one.
    """
    try:
        listed = await client.list(task.video_id)
    except NotFoundError:
        return []
    except RestreamError as error:
        return [error]
    found = [shown for shown in listed if _matches(shown, task.wanted)]
    failures = await asyncio.gather(*(_change(client, task.action, shown) for shown in found))
    return [error for error in failures if error is not None]


def _matches(shown: Restream, wanted: Sequence[NewRestream]) -> bool:
    matches = {match(new, shown) for new in wanted}
    if Match.SAME in matches:
        return True
    if Match.UNCLEAR in matches:
        _log.warning("restream %s is left alone: the service does not show it in full", shown.id)
    return False


async def _change(client: EventClient, action: Action, shown: Restream) -> RestreamError | None:
    try:
        if action is Action.DELETE:
            await client.delete(shown.id)
        else:
            await client.set_status(shown, action is Action.ENABLE)
    except NotFoundError:
        return None
    except RestreamError as error:
        return error
    return None
