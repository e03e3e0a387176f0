"""A NATS connection that sends nothing unencrypted.

nats-py follows what the server says: to a server without TLS it sends name and password in the
clear, at the first connection and at each reconnection. So the server's first message is checked
before anything is sent.
"""

from typing import Any

import nats.errors
from nats.aio.client import Client


class TlsOnlyClient(Client):
    """Refuses servers without TLS."""

    async def _process_info(
        self,
        info: dict[str, Any],
        initial_connection: bool = False,  # noqa: FBT001, FBT002 - as in nats-py
    ) -> None:
        """Check the server's first message. nats-py calls this right before the login.

        Raises:
            SecureConnWantedError: the server offers no TLS. nats-py tries again later.

        """
        if initial_connection and not info.get("tls_required"):
            if self._transport is None:
                raise AssertionError("the server has just sent its first message")
            # The next attempt would forget this transport and leave it open.
            self._transport.close()  # type: ignore[no-untyped-call]
            raise nats.errors.SecureConnWantedError
        await super()._process_info(info, initial_connection)
