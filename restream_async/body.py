"""A request body that minds the connection it is written to.

aiohttp holds the headers of a request back until its body is written. So here, and nowhere else, is
the moment before anything has left, with the connection at hand.
"""

import select
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from restream_async.wire import Request

if TYPE_CHECKING:
    import asyncio

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.http import StreamWriter

# SO_LINGER, on, for 0 seconds: closing the socket, by whatever means, resets the connection.
_RESET: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
# Windows has no poll, and macOS does not tell of a connection closed by one side only.
_poll: Final = getattr(select, "poll", None)
_HUNG_UP: Final = getattr(select, "POLLRDHUP", 0)


class Body(aiohttp.BytesPayload):
    """Notes when it is written, refuses a dead connection, and resets one that is given up.

    aiohttp also resends a PUT or DELETE by itself when a kept-alive connection turns out to be
    closed; a body that says it is consumed keeps it from doing so.
    """

    def __init__(self, request: Request) -> None:
        """Hold the request's JSON, or nothing."""
        data = request.body or b""
        self._request = request
        self._transport: asyncio.Transport | None = None
        # Past the base's own, which takes keywords only and looks what else than bytes it has.
        aiohttp.Payload.__init__(self, data, None, "application/json")
        self._size = len(data)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write, unless the service has closed the connection while it was idle.

        Raises:
            ConnectionResetError: it has; nothing was written.

        """
        self._consumed = True
        protocol = cast("ResponseHandler", cast("StreamWriter", writer).protocol)
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        sock: socket.socket = transport.get_extra_info("socket")
        if _is_hung_up(sock):
            raise ConnectionResetError
        # After an orderly close the kernel goes on sending what was written, for minutes: a request
        # that was given up would arrive after its repetition. A reset drops it. Set before the
        # first byte is written, it holds for every end of the process, `kill -9` included.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._request.again:
            protocol.force_close()
        self._transport = transport
        self._request.sent = True
        await writer.write(self._value[:content_length])

    def abandon(self) -> None:
        """Reset the connection now.

        aiohttp closes it, but that waits: until all is written, and over TLS for the service.
        """
        if self._transport is not None:
            self._transport.abort()


def _is_hung_up(sock: socket.socket) -> bool:
    """Say whether the service has closed the connection, though the event loop has not seen it."""
    if _poll is None:
        return False
    poll = _poll()
    poll.register(sock.fileno(), _HUNG_UP)
    return bool(poll.poll(0))
