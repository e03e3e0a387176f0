"""What a client is doing now, for dashboards and progress displays."""

import attrs


@attrs.frozen(kw_only=True)
class Stats:
    """A snapshot of a client.

    Attributes:
        in_flight: requests on their way now.
        limit: how many may be.
        waiting: requests that wait for a place.
        attempts: requests sent, or tried to be sent, so far.
        retries: those of them that repeated a failed one.

    """

    in_flight: int
    limit: int
    waiting: int
    attempts: int
    retries: int
