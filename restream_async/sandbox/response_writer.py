"""Sending a response, or resetting the connection instead."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING

from aiohttp import web

from restream_async.sandbox.responses import Connection, SandboxResponse

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

# With a linger time of 0, closing sends RST instead of FIN.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ResponseWriter(web.StreamResponse):
    """A response as bytes. aiohttp's own responses add headers that Varnish does not send."""

    def __init__(self, response: SandboxResponse, *, keep_alive: bool) -> None:
        """Send `response`; keep the connection only if the client and the response allow it."""
        super().__init__()
        self._response = response
        self._keep_alive = keep_alive and response.connection is Connection.KEPT

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything. `ConnectionResetError` tells aiohttp that the connection is closed."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        if self._response.connection is Connection.RESET:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
            )
            transport.abort()
            raise ConnectionResetError
        transport.write(self._response.head + self._response.body)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` has sent everything."""
