"""The outcomes of a run in numbers, by what they mean to a person."""

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

_UNSENT: Final = (NotSentError, JournalError, CertificateError, ProxyError, OutageError)


def is_unsent(outcome: Outcome) -> bool:
    """Say whether an item was read, and the service never got to work on it."""
    return isinstance(outcome, Failed) and isinstance(outcome.error, _UNSENT)


@attrs.frozen(kw_only=True)
class Totals:
    """Outcomes by what they mean.

    Attributes:
        created: created now; also those whose answer was lost and that were found.
        existing: they were there before.
        earlier: an earlier run created them.
        in_doubt: they may exist or not.
        refused: the service refused the key or its rights, which ended the run.
        not_sent: the run ended before they were sent.
        failures: how many failed, by the name of the error.

    """

    created: int
    existing: int
    earlier: int
    in_doubt: int
    refused: int
    not_sent: int
    failures: Mapping[str, int]

    @classmethod
    def of(cls, counts: BulkCounts, ended_by: RestreamError | None = None) -> "Totals":
        """Sort the counts of a run; `ended_by` is the error that ended it before its end."""
        failures = dict(counts.failed)
        in_doubt = failures.pop(OutcomeUnknownError.__name__, 0)
        not_sent = sum(failures.pop(kind.__name__, 0) for kind in _UNSENT)
        ended = isinstance(ended_by, ApiError)
        return cls(
            created=counts.posted + counts.confirmed,
            existing=counts.existing,
            earlier=counts.from_journal,
            in_doubt=in_doubt,
            refused=failures.pop(type(ended_by).__name__, 0) if ended else 0,
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
        return self.created + self.existing + self.earlier

    @property
    def done(self) -> int:
        """How many have an outcome that the same command does not change at once."""
        return self.exist + self.in_doubt + self.failed
