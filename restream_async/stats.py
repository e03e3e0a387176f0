"""`Stats`: what a client is doing now, for dashboards and progress displays."""

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Stats:
    """A snapshot of a client, made by `RestreamClient.stats`.

    Attributes:
        in_flight: requests sent whose response has not come yet.
        limit: the concurrency limit: the most requests that may be in flight now.
        waiting: requests that wait for a slot.
        attempts: requests that the client has tried to send so far.
        retries: how many of them followed a failed attempt.
        budget_left: retries that the retry budget allows at once.
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
