"""Sets statuses at a service in memory."""

from collections.abc import Mapping, Sequence

from restream_async import (
    Restream,
)
from restream_async._operations.listing import Listing
from restream_async._operations.set_status import StatusSetter
from restream_async._operations.toggle_and_check import StatusResult
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async.errors import RestreamError
from tests.helpers.in_memory_service import Backend, InMemoryClient, in_memory_client, new


def setter_of(client: InMemoryClient) -> StatusSetter:
    return StatusSetter(
        client.executor, client.api, Listing(client.executor, client.api, uncached=True)
    )


async def turn_off(
    backend: Backend,
    *ids: int | str,
    attempts: int = 3,
    listed: Sequence[Restream] | None = None,
    deadline: Deadline | None = None,
) -> StatusResult:
    """Turn restreams of the video off; by default the first."""
    client = in_memory_client(backend, attempts=attempts)
    statuses = setter_of(client)
    wanted: Mapping[int | str, bool] = dict.fromkeys(ids or (1,), False)
    deadline = deadline or client.executor.begin_call()
    async with statuses.turn("v1"):
        return await statuses.set("v1", wanted, deadline, listed=listed)


def error_of(result: StatusResult, restream_id: int | str = 1) -> RestreamError:
    failure = result.restreams[restream_id]
    assert isinstance(failure, Failure)
    return failure.error


def order(backend: Backend) -> str:
    return " ".join(request.method for request in backend.sent)


def one_active() -> Backend:
    """Return a service with one restream of video v1, which is active."""
    backend = Backend()
    backend.add(new())
    return backend
