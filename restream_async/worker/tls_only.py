"""A connection on which nothing travels unencrypted.

nats-py goes by what the server says. One that offers no TLS it tells name and password all the
same, at the first connection and at each that comes back. So what a server says is judged before
anything is said to it.
"""

from typing import Any

import nats.errors
from nats.aio.client import Client


class TlsOnlyClient(Client):
    """Says nothing to a server that offers no TLS."""

    async def _process_info(
        self,
        info: dict[str, Any],
        initial_connection: bool = False,  # noqa: FBT001, FBT002 - nats-py's
    ) -> None:
        """Refuse a server that offers no TLS; this is called right before the login.

        Raises:
            SecureConnWantedError: it offers none; nats-py tries again as ever.

        """
        if initial_connection and not info.get("tls_required"):
            if self._transport is None:
                raise AssertionError("it has just spoken")
            # At the next try it would be forgotten, and left open.
            self._transport.close()  # type: ignore[no-untyped-call]
            raise nats.errors.SecureConnWantedError
        await super()._process_info(info, initial_connection)
