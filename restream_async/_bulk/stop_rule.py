"""Private: when a bulk run stops by itself, because all further items would fail as well."""

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
"""A run stops after so many items in a row that the service refuses because of the API key."""


class StopRule:
    """Recognises failures that all items of a run share.

    With a wrong API key, each item ends with 401, or each with 403. But 403 may also be about one
    item, so it does not count after any success. A certificate that cannot be verified, a proxy
    that refuses, and a service that was never reached stop the run at once.
    """

    def __init__(self) -> None:
        """Start with no refusal and no success."""
        self._in_a_row = 0
        self._succeeded = False

    def succeeded(self) -> None:
        """Note a success at the service."""
        self._in_a_row = 0
        self._succeeded = True

    def stops(self, error: RestreamError) -> bool:
        """Note how an item failed, and return whether the run has to stop because of it."""
        if isinstance(error, UnauthorizedError) or (
            isinstance(error, ForbiddenError) and not self._succeeded
        ):
            self._in_a_row += 1
            if self._in_a_row != MOST_IN_A_ROW:
                return False
            error.add_note(
                f"the run stopped after {MOST_IN_A_ROW} refusals in a row: correct the API key, "
                "and run again"
            )
            return True
        never_reached = isinstance(error, OutageError) and not error.reached
        return never_reached or isinstance(error, CertificateError | ProxyError)
