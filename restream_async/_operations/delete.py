"""Private: one deletion. Deleting twice does no harm, so the client sends it again after doubt."""

from restream_async._http import serialization
from restream_async._http.api import Api
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import NotFoundError


async def delete(
    executor: RequestExecutor, api: Api, restream_id: int | str, deadline: Deadline
) -> bool | Failure:
    """Return what the service answers: true if it deleted the restream.

    If a repeated request finds no restream, an earlier one whose answer was lost has deleted it,
    so the result is true.

    Raises:
        InvalidRestreamError: the id is empty or cannot stand in a path.

    """
    doubted = False

    def on_failure(failure: Failure) -> Failure:
        nonlocal doubted
        doubted = doubted or failure.classification is Classification.IN_DOUBT
        return failure

    request = api.delete(restream_id)
    result = await executor.send_with_retries(
        request, serialization.read_deleted, deadline, on_failure=on_failure
    )
    gone = isinstance(result, Failure) and isinstance(result.error, NotFoundError)
    return True if gone and doubted else result
