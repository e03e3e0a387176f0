"""Redelivery: how often a failing message is delivered again, after which delays, and when never.

Knows no broker.
"""

from typing import Final

from restream_async._retry.classification import Classification, classify_status
from restream_async._retry.policy import RetryPolicy
from restream_async.errors import (
    ApiError,
    ForbiddenError,
    InvalidRestreamError,
    RestreamError,
    UnauthorizedError,
)

REDELIVERY: Final = RetryPolicy(attempts=8, base=1.0, cap=10.0)
"""After how many deliveries a failing message becomes a dead letter, and the delays between them.

At each delivery the client makes several attempts of its own. The delays are short, at most 45
seconds together unless the service asks for more with `Retry-After`: while a message waits for its
redelivery, the server counts it as in progress (`max_ack_pending`). If as many messages fail as the
global concurrency allows, others wait until the first of them is given up. If all messages fail, it
is an outage, and none is given up.
"""

MOST_DELIVERIES: Final = 2 * REDELIVERY.attempts
"""Deliveries after which a message becomes a dead letter untried. It probably kills workers.

This is twice the number of failing deliveries, because a worker that stops gives its messages back,
which counts as a delivery too. So restarts during a long outage cost no message. A handler whose
`redelivery` allows more than half of this many failing deliveries allows twice its number instead.
"""


def is_permanent(error: RestreamError) -> bool:
    """Return whether another attempt would fail in the same way.

    A refused key says nothing about the restream: with the right key it may be created.
    """
    if isinstance(error, ApiError):
        return classify_status(error.status) is Classification.REFUSED and not refuses_key(error)
    return isinstance(error, InvalidRestreamError)


def refuses_key(error: RestreamError) -> bool:
    """Return whether an error is about the API key, and says nothing about the restream."""
    # A key that may not list restreams says nothing about this restream either.
    may_not_list = isinstance(error, ForbiddenError) and error.call.method == "GET"
    return may_not_list or isinstance(error, UnauthorizedError)
