"""The settings that all contestants share."""

from typing import Final

import aiohttp
import attrs

IN_FLIGHT: Final = 64
TIMEOUT: Final = 1.5


@attrs.frozen(kw_only=True)
class Terms:
    """The settings that all contestants of a trial share.

    Attributes:
        in_flight: the most requests in flight.
        timeout: seconds for one attempt.
        traces: trace the requests of clients that use aiohttp.

    """

    in_flight: int = IN_FLIGHT
    timeout: float = TIMEOUT
    traces: tuple[aiohttp.TraceConfig, ...] = ()


TERMS: Final = Terms()
