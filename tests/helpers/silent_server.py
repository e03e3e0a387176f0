"""A server of bare sockets that reads requests and never answers, and what it sees in the end."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Final, Self

_PATIENCE: Final = 10.0
RESET: Final = "reset"
CLOSED: Final = "closed"


class SilentServer:
    """Takes one connection, in a thread of its own.

    Attributes:
        end: how the connection ended: by RST, by FIN, or not at all.
        received: all that came on it.

    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, reads_at_once: bool = True) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE)
        # So small that a larger body cannot be sent while nobody reads.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._thread = threading.Thread(target=self._run)
        self._may_read = threading.Event()
        self._arrived = threading.Event()
        self.end = "open"
        self.received = b""
        if reads_at_once:
            self.read()

    @property
    def base_url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def read(self) -> None:
        """Begin to read."""
        self._may_read.set()

    def arrived(self) -> None:
        """Wait until something of a request has come."""
        assert self._arrived.wait(_PATIENCE)

    def over(self) -> None:
        """Wait until the connection has ended."""
        self._thread.join(_PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.read()
        self.over()
        self._listener.close()

    def _run(self) -> None:
        with suppress(TimeoutError):
            sock, _ = self._listener.accept()
            sock.settimeout(_PATIENCE)
            with sock:
                try:
                    self._read(sock)
                except ConnectionResetError:
                    self.end = RESET
                else:
                    self.end = CLOSED

    def _read(self, sock: socket.socket) -> None:
        # Not with an `SSLSocket`, which cannot tell a reset from an end.
        decrypt = _Decryption(self._tls, sock).feed if self._tls else bytes
        plain = b""
        while True:
            if self._tls is None or plain:
                self._may_read.wait(_PATIENCE)
            chunk = sock.recv(65536)
            if not chunk:
                return
            plain = decrypt(chunk)
            self.received += plain
            if self.received:
                self._arrived.set()


class _Decryption:
    """The server's side of TLS, over a socket that somebody else reads."""

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sock = sock

    def feed(self, chunk: bytes) -> bytes:
        """Take what was read; return what it says, once the two sides have come to terms."""
        self._incoming.write(chunk)
        plain = b""
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            if self._tls.version() is None:
                self._tls.do_handshake()
            while said := self._tls.read(65536):
                plain += said
        self._sock.sendall(self._outgoing.read())
        return plain
