"""What all contestants of a trial have in common."""

from typing import Final

import aiohttp
import attrs

IN_FLIGHT: Final = 64
TIMEOUT: Final = 1.5


@attrs.frozen(kw_only=True)
class Terms:
    """What all contestants of a trial have in common.

    Attributes:
        in_flight: how many requests may be in flight.
        timeout: seconds for one attempt.
        traces: who watches the requests of those that are made of aiohttp.

    """

    in_flight: int = IN_FLIGHT
    timeout: float = TIMEOUT
    traces: tuple[aiohttp.TraceConfig, ...] = ()


TERMS: Final = Terms()
