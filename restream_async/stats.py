"""What a client is doing now, for dashboards and progress displays."""

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Stats:
    """A snapshot of a client.

    Attributes:
        in_flight: requests on their way now.
        limit: how many may be: the concurrency limit.
        waiting: requests that wait for a place.
        attempts: requests sent, or tried to be sent, so far.
        retries: those of them that repeated a failed one.
        budget_left: retries that could be made at once.
        state: of the circuit breaker: "open" in an outage, in which requests wait and only probes
            are sent; else "closed".
        last_error: what the latest failure was that was no refusal, such as "no connection
            (Connection refused)"; empty when something has succeeded since.
        reached: whether any request of this client ever got through to the service, answered or
            not; if not, its address is probably wrong.
        forms: JSON names of the fields of restreams that the service shows otherwise than they
            were sent, such as a masked `streamKey`.

    """

    in_flight: int
    limit: int
    waiting: int
    attempts: int
    retries: int
    budget_left: int
    state: Literal["closed", "open"]
    last_error: str = ""
    reached: bool = False
    forms: tuple[str, ...] = ()
