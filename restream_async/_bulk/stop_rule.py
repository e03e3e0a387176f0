"""When a bulk run stops by itself, because everything else would fail as well."""

from typing import Final

from restream_async.errors import (
    CertificateError,
    ForbiddenError,
    OutageError,
    ProxyError,
    RestreamError,
    UnauthorizedError,
)

MOST_IN_A_ROW: Final = 5
"""So many items in a row that the service refuses because of the API key stop a run."""


class StopRule:
    """Counts the items that end because of a mistake that all items share.

    A wrong API key ends each item with 401, or each with 403. But 403 may also be about one item,
    so after any success it no longer counts. A certificate that cannot be verified, a proxy that
    refuses, and a service that was never reached are such a mistake at once.
    """

    def __init__(self) -> None:
        """Begin with no refusal and no success."""
        self._in_a_row = 0
        self._succeeded = False
        self.doubted = True
        """Whether a success would change anything."""

    def succeeded(self) -> None:
        """Note a success at the service."""
        self._in_a_row = 0
        self._succeeded = True
        self.doubted = False

    def stops(self, error: RestreamError) -> bool:
        """Note how an item failed, and say whether the run has to stop because of it."""
        if isinstance(error, UnauthorizedError) or (
            isinstance(error, ForbiddenError) and not self._succeeded
        ):
            self._in_a_row += 1
            self.doubted = True
            if self._in_a_row != MOST_IN_A_ROW:
                return False
            error.add_note(
                f"the run stopped after {MOST_IN_A_ROW} refusals in a row: correct the API key, "
                "and run again"
            )
            return True
        never_reached = isinstance(error, OutageError) and not error.reached
        return never_reached or isinstance(error, CertificateError | ProxyError)
