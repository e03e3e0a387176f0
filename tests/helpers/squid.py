"""A real Squid as forward proxy: started, killed, and started again on the same port."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.helpers.varnish import accepting, closed_port

NAME: Final = "service.test"
"""A host that only the proxy can resolve, to this machine."""
USER: Final = "alice"

_RULES: Final = {
    "open": "http_access allow all",
    # Squid's helper takes any password; the user must be the right one.
    "login": (
        "auth_param basic program {helpers}/basic_fake_auth\n"
        "auth_param basic children 1 startup=1 idle=1\n"
        f"acl known proxy_auth {USER}\n"
        "http_access deny !known\n"
        "http_access allow all"
    ),
    "closed": "http_access deny all",
}
_CONFIGURATION: Final = """\
http_port 127.0.0.1:{port}
hosts_file {hosts}
{rules}
visible_hostname proxy.test
pid_filename none
cache_log /dev/null
access_log none
netdb_filename none
coredump_dir none
cache_mem 8 MB
max_filedescriptors 4096
shutdown_lifetime 0 seconds
"""
_HELPERS: Final = ("/usr/lib/squid", "/usr/lib64/squid", "/usr/libexec/squid")


class Squid:
    """One proxy; `rules` says what it lets through: `open`, `login` or `closed`.

    Attributes:
        url: where it listens, from its first start on.

    """

    def __init__(self, program: str, home: Path, port: int, rules: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._program = program
        self._port = port
        self._log = home / "squid.log"
        self._configuration = home / "squid.conf"
        self._process: asyncio.subprocess.Process | None = None
        # If root starts it, it reads its files as another user.
        home.chmod(0o755)
        hosts = home / "hosts"
        hosts.write_text(f"127.0.0.1 {NAME}\n")
        helpers = next((each for each in _HELPERS if Path(each).is_dir()), _HELPERS[0])
        self._configuration.write_text(
            _CONFIGURATION.format(
                port=port, hosts=hosts, rules=_RULES[rules].format(helpers=helpers)
            )
        )

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                self._program,
                "-N",  # one process, in the foreground
                "-d",
                "1",
                "-n",
                f"test{self._port}",
                "-f",
                str(self._configuration),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await accepting(self._process, self._port, self._log)

    async def kill(self) -> None:
        """Kill it and its helpers, as when a machine fails."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()


@asynccontextmanager
async def squid(program: str, rules: str = "open") -> AsyncGenerator[Squid]:
    """Run Squid with few rules and nothing on the disk."""
    with closed_port() as port, tempfile.TemporaryDirectory() as name:
        home = Path(name)
        proxy = Squid(program, home, port, rules)
        try:
            await proxy.start()
            yield proxy
        finally:
            await proxy.kill()
