"""Private: the signal: what an answer says about the load of the service."""

import enum


class Signal(enum.Enum):
    """What an answer says about the load."""

    GOOD = "good"
    """An answer, whatever it says: the service had time for it."""
    SHED = "shed"
    """503, 504, a timeout: the service had no time for it."""
    LIMITED = "limited"
    """429: too many requests in some time."""
