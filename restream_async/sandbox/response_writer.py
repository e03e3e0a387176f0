"""Putting a reply on the wire, or tearing the wire."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING

from aiohttp import web

from restream_async.sandbox.responses import Ending, SandboxResponse

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

# Closing with a linger time of nought is what makes TCP send RST instead of FIN.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ResponseWriter(web.StreamResponse):
    """A finished reply. aiohttp's own responses would add headers that Varnish does not send."""

    def __init__(self, reply: SandboxResponse, *, keep_alive: bool) -> None:
        """Answer with `reply`, and keep the connection if client and reply both allow it."""
        super().__init__()
        self._reply = reply
        self._keep_alive = keep_alive and reply.ending is Ending.KEPT

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything; `ConnectionResetError` tells aiohttp that the connection is gone."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        if self._reply.ending is Ending.RESET:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
            raise ConnectionResetError
        transport.write(self._reply.head + self._reply.body)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: everything is written already."""
