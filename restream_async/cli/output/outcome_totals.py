"""Private: counts of a run's outcomes, by what they mean to a user."""

from collections.abc import Mapping
from typing import Final

import attrs

from restream_async import (
    Failed,
    JournalError,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    RestreamError,
)
from restream_async._bulk.report import BulkCounts
from restream_async.errors import ApiError, CertificateError, NotSentError, ProxyError

NOT_SENT: Final = (NotSentError, JournalError, CertificateError, ProxyError, OutageError)
"""Errors after which the service has not worked on a restream."""


def is_not_sent(outcome: Outcome) -> bool:
    """Return whether the service never worked on an item, although the run had read it."""
    return isinstance(outcome, Failed) and isinstance(outcome.error, NOT_SENT)


@attrs.frozen(kw_only=True)
class Totals:
    """Numbers of outcomes.

    Attributes:
        created: created by this run, including those that were found after a lost answer.
        existing: existed before.
        created_earlier: created by an earlier run of the same journal.
        in_doubt: may or may not exist.
        refused: the service refused the key or its rights, and so ended the run.
        not_sent: the run ended before they were sent.
        failures: failures by the name of the error.

    """

    created: int
    existing: int
    created_earlier: int
    in_doubt: int
    refused: int
    not_sent: int
    failures: Mapping[str, int]

    @classmethod
    def of(cls, counts: BulkCounts, ended_by: RestreamError | None = None) -> "Totals":
        """Sort the counts of a run; `ended_by` is the error that ended it early."""
        failures = dict(counts.failed)
        in_doubt = failures.pop(OutcomeUnknownError.__name__, 0)
        not_sent = sum(failures.pop(kind.__name__, 0) for kind in NOT_SENT)
        is_refusal = isinstance(ended_by, ApiError)
        return cls(
            created=counts.posted + counts.confirmed,
            existing=counts.existing,
            created_earlier=counts.from_journal,
            in_doubt=in_doubt,
            refused=failures.pop(type(ended_by).__name__, 0) if is_refusal else 0,
            not_sent=not_sent,
            failures=failures,
        )

    @property
    def failed(self) -> int:
        """How many failed for good."""
        return sum(self.failures.values())

    @property
    def exist(self) -> int:
        """How many exist."""
        return self.created + self.existing + self.created_earlier

    @property
    def done(self) -> int:
        """How many are done: running the same command again at once would not change them."""
        return self.exist + self.in_doubt + self.failed
