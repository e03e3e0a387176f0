"""Private: which failed attempts of a patient call do not count as attempts."""

from typing import Final

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.policy import RetryPolicy

# 429s that one call may get by chance while the service accepts others.
_CHANCE_429S: Final = 5


def is_uncounted(
    failure: Failure, deadline: Deadline, limiter: ConcurrencyLimiter, policy: RetryPolicy
) -> bool:
    """Return whether an attempt that has failed now does not count as an attempt.

    A patient call that waits for the service to come back does not use up its attempts by probes.
    One that cannot connect while others succeed does, or it would go on for ever.
    """
    unreachable = not (failure.connected or failure.overtaken)
    paced = failure.limited and not is_singled_out(deadline, policy)
    return deadline.patient and (unreachable or paced or limiter.state == "open")


def is_singled_out(deadline: Deadline, policy: RetryPolicy) -> bool:
    """Return whether a call gets 429s that have nothing to do with the pace of the client.

    It has had more of them than it has attempts, and in between others were accepted. A few of them
    are chance: the pace of the client is a little above the rate limit from time to time.
    """
    return deadline.limited > max(policy.attempts, _CHANCE_429S)
