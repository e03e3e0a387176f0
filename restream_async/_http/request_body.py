"""Private: the request body, which checks the connection before anything is sent on it.

aiohttp sends the headers of a request together with its body. So only the body sees the connection
at the last moment before anything is sent.
"""

import select
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from restream_async._http.messages import Request

if TYPE_CHECKING:
    import asyncio

    from aiohttp.typedefs import LooseHeaders


# SO_LINGER, on, for 0 seconds: closing the socket in any way resets the connection.
_RESET: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
# Windows has no poll, and on macOS it does not report a connection closed by one side only.
_poll: Final = getattr(select, "poll", None)
_HUNG_UP: Final = getattr(select, "POLLRDHUP", 0)
_JSON: Final = "application/json"


class Body(aiohttp.BytesPayload):
    """Notes when it is written, refuses a dead connection, and resets an abandoned one.

    aiohttp by itself resends a PUT or DELETE when a kept-alive connection turns out to be closed. A
    body that says it is consumed keeps it from doing so.
    """

    _transport: "asyncio.Transport | None" = None

    def __init__(self, request: Request, *, foreign: bool, suspicious: bool) -> None:
        """Hold the JSON of a request, or nothing.

        Args:
            request: what is sent.
            foreign: whether the connection does not come from `resetting_socket`.
            suspicious: whether to ask the kernel if the service has closed the connection, because
                one was found closed before. To ask for each request costs 1.3 % of a creation.

        """
        data = request.body or b""
        # The constructor of the base class checks what kind of data it has: 1.2 % of a creation.
        aiohttp.Payload.__init__(self, data, None, _JSON)
        self._size = len(data)
        self._request = request
        self._foreign = foreign
        self._suspicious = suspicious

    async def write_with_length(
        self,
        writer: Any,  # noqa: ANN401 - aiohttp's StreamWriter, which knows its connection
        content_length: int | None,
    ) -> None:
        """Write the body, unless the service has closed the idle connection.

        Raises:
            ConnectionResetError: the connection is closed; nothing was written.

        """
        self._consumed = True
        transport: asyncio.Transport | None = writer.transport
        # The event loop may not have seen yet that the service closed the connection.
        hung_up = self._suspicious and transport is not None and _is_hung_up(transport)
        if transport is None or transport.is_closing() or hung_up:
            raise ConnectionResetError
        if self._foreign:
            _set_to_reset(transport.get_extra_info("socket"))
        if self._request.again:
            writer.protocol.force_close()
        self._transport = transport
        self._request.sent = True
        await writer.write(self._value[:content_length])

    def abandon(self) -> None:
        """Reset the connection now.

        aiohttp only closes it, which waits until all is written, and over TLS for the service.
        """
        if self._transport is not None:
            self._transport.abort()


class PreparedRequest(aiohttp.ClientRequest):
    """Takes the headers of its session, and a `Body`, as they are.

    The headers of the client's own session are complete, with the host. aiohttp would add each
    header anew and find out what kind of body it has, which costs 4 % of a creation. If aiohttp
    stops calling these methods, the requests stay the same and cost that much more.
    """

    def update_headers(self, headers: "LooseHeaders | None") -> None:
        """Copy all headers at once."""
        self.headers = CIMultiDict(headers or ())

    def update_auto_headers(self, skip_auto_headers: object) -> None:
        """Add no header."""

    def update_body_from_data(self, body: object, _stacklevel: int = 3) -> None:
        """Take a `Body`, and state its length."""
        if type(body) is not Body:
            super().update_body_from_data(body, _stacklevel + 1)
            return
        self._body = body
        self.headers[hdrs.CONTENT_LENGTH] = str(body.size)
        self.headers[hdrs.CONTENT_TYPE] = _JSON


def resetting_socket(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """Return a socket that is reset when it is closed, for `aiohttp.TCPConnector`.

    After an orderly close the kernel goes on sending what was written, for minutes: an abandoned
    request would arrive after its retry. A reset drops it. The option is set from the start, so it
    works for every end of the process, `kill -9` included. When the client is closed, the service
    sees idle connections reset too, which does no harm.
    """
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    _set_to_reset(sock)
    return sock


def _set_to_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _is_hung_up(transport: "asyncio.Transport") -> bool:
    if _poll is None:
        return False
    poll = _poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)
    return bool(poll.poll(0))
