"""A request body that minds the connection it is written to.

aiohttp holds the headers of a request back until its body is written. So here, and nowhere else, is
the moment before anything has left, with the connection at hand.
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


# SO_LINGER, on, for 0 seconds: closing the socket, by whatever means, resets the connection.
_RESET: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
# Windows has no poll, and macOS does not tell of a connection closed by one side only.
_poll: Final = getattr(select, "poll", None)
_HUNG_UP: Final = getattr(select, "POLLRDHUP", 0)
_JSON: Final = "application/json"


class Body(aiohttp.BytesPayload):
    """Notes when it is written, refuses a dead connection, and resets one that is given up.

    aiohttp also resends a PUT or DELETE by itself when a kept-alive connection turns out to be
    closed; a body that says it is consumed keeps it from doing so.
    """

    # What few need stands here, and not in each.
    wary = False
    """Whether to ask the kernel if the service has closed the connection.

    The event loop may not have seen it yet where a connection is used again at once. To ask costs
    nearly one per cent of a creation."""
    foreign = False
    """Whether the connection is not of `resetting_socket`."""
    _transport: "asyncio.Transport | None" = None

    def __init__(self, request: Request) -> None:
        """Hold the request's JSON, or nothing."""
        data = request.body or b""
        self._request = request
        # Past the base's own, which takes keywords only and looks what else than bytes it has.
        aiohttp.Payload.__init__(self, data, None, _JSON)
        self._size = len(data)

    async def write_with_length(
        self,
        writer: Any,  # noqa: ANN401 - aiohttp's StreamWriter, which knows its connection
        content_length: int | None,
    ) -> None:
        """Write, unless the service has closed the connection while it was idle.

        Raises:
            ConnectionResetError: it has; nothing was written.

        """
        self._consumed = True
        transport: asyncio.Transport | None = writer.transport
        if transport is None or transport.is_closing() or (self.wary and _is_hung_up(transport)):
            raise ConnectionResetError
        if self.foreign:
            _set_to_reset(transport.get_extra_info("socket"))
        if self._request.again:
            writer.protocol.force_close()
        self._transport = transport
        self._request.sent = True
        await writer.write(self._value[:content_length])

    def abandon(self) -> None:
        """Reset the connection now.

        aiohttp closes it, but that waits: until all is written, and over TLS for the service.
        """
        if self._transport is not None:
            self._transport.abort()


class PreparedRequest(aiohttp.ClientRequest):
    """Takes the headers of its session, and a `Body`, as they are.

    For a session of our own, whose headers are complete: they name the host as well. What aiohttp
    does to add each header, and to find out what kind of body it has, costs 4 % of a creation. If
    aiohttp ever calls these methods no more, the requests stay the same and cost that much again.
    """

    def update_headers(self, headers: "LooseHeaders | None") -> None:
        """Copy them all at once."""
        self.headers = CIMultiDict(headers or ())

    def update_auto_headers(self, skip_auto_headers: object) -> None:
        """Add none."""

    def update_body_from_data(self, body: object, _stacklevel: int = 3) -> None:
        """Take a `Body`, and say how long it is."""
        if type(body) is not Body:
            super().update_body_from_data(body, _stacklevel + 1)
            return
        self._body = body
        self.headers[hdrs.CONTENT_LENGTH] = str(body.size)
        self.headers[hdrs.CONTENT_TYPE] = _JSON


def resetting_socket(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """Return a socket that is reset when it is closed, for `aiohttp.TCPConnector`.

    After an orderly close the kernel goes on sending what was written, for minutes: a request that
    was given up would arrive after its repetition. A reset drops it. Set from the beginning, that
    holds for every end of the process, `kill -9` included. So the service sees idle connections
    reset as well, when the client is closed; by then nothing is under way on them.
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
