"""Private: toggle one restream. A second toggle undoes the first, so none is sent after doubt."""

from typing import Final

from restream_async._http import serialization
from restream_async._http.api import Api
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.models import Toggled

_NOTE: Final = (
    "it may have taken effect, so it was not sent again: list the restreams of the video to see"
)


async def toggle(
    executor: RequestExecutor, api: Api, restream_id: int | str, deadline: Deadline
) -> Toggled | Failure:
    """Return the new status of the restream.

    Raises:
        InvalidRestreamError: the id is empty or cannot stand in a path.

    """
    request = api.toggle(restream_id)
    return await executor.send_with_retries(
        request, serialization.read_toggled, deadline, on_failure=_final_if_in_doubt
    )


def _final_if_in_doubt(failure: Failure) -> Failure:
    if failure.classification is not Classification.IN_DOUBT:
        return failure
    failure.error.note = _NOTE
    return Failure(Classification.REFUSED, failure.error)
