"""A real Varnish in front of a backend: the cache whose 503 this library is about."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Never

import pytest

# Seconds. Varnish compiles its configuration first, which takes long on a busy machine.
_LONGEST_START = 30.0
_BETWEEN_LOOKS = 0.02

_VCL = """\
vcl 4.1;

backend default {{
    .host = "127.0.0.1";
    .port = "{port}";
    .first_byte_timeout = {first_byte_timeout}s;
}}

sub vcl_recv {{
    if ({cache_seconds} > 0 && req.method == "GET") {{
        # As careless configurations do: for all clients, and with any Cache-Control.
        return (hash);
    }}
}}

sub vcl_backend_response {{
    if ({cache_seconds} > 0 && bereq.method == "GET") {{
        set beresp.ttl = {cache_seconds}s;
    }}
}}
"""


@contextmanager
def closed_port() -> Generator[int]:
    """Reserve a loopback port without a listener, so that connections to it are refused.

    No other program gets it by chance, but a program that asks for this number can listen on it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port


@asynccontextmanager
async def varnish(
    varnishd: str,
    home: Path,
    *,
    backend: int,
    first_byte_timeout: float = 60.0,
    cache_seconds: int = 0,
) -> AsyncGenerator[str]:
    """Run Varnish with its own built-in rules, and give its base URL.

    Args:
        varnishd: the program.
        home: an empty directory for all its files.
        backend: the loopback port of the service behind it.
        first_byte_timeout: seconds until it gives the service up; 60 is its own default.
        cache_seconds: for how long it keeps what was asked with GET.

    """
    vcl = home / "default.vcl"
    vcl.write_text(
        _VCL.format(
            port=backend, first_byte_timeout=first_byte_timeout, cache_seconds=cache_seconds
        )
    )
    log = home / "log"
    with closed_port() as port, log.open("wb") as output:
        options = {
            "-j": "none",  # the jail's user could not read pytest's directories
            "-n": str(home / "work"),
            "-f": str(vcl),
            "-a": f"127.0.0.1:{port}",
            "-s": "malloc,8m",
            "-T": "none",  # it needs no management port
            # The default without optimization, which takes longer than the tests.
            "-p": "cc_command=exec cc -w -fpic -shared -O0 -o %o %s",
        }
        process = await asyncio.create_subprocess_exec(
            varnishd,
            "-F",
            *(word for option in options.items() for word in option),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            await accepting(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            await _end(process)


async def accepting(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    """Wait until a program that was just started accepts connections."""
    try:
        async with asyncio.timeout(_LONGEST_START):
            while not await _accepts(port):
                if process.returncode is not None:
                    _fail(f"{log}: the program ended with {process.returncode}", log)
                await asyncio.sleep(_BETWEEN_LOOKS)
    except TimeoutError:
        _fail(f"{log}: nothing accepts after {_LONGEST_START} s", log)


def _fail(what: str, log: Path) -> Never:
    pytest.fail(f"{what}:\n{log.read_text()}", pytrace=False)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    # The session has only the manager and its worker. Neither has anything to save, and they are
    # slow to stop by themselves.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
