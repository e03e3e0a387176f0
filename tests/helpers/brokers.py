"""Real RabbitMQ and Redis servers, which can be killed and started again."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.helpers.programs import find
from tests.helpers.varnish import closed_port

# Seconds. RabbitMQ takes four on an idle machine.
_LONGEST_START: Final = 60.0
# Debian's `rabbitmq-server` changes to a user and folders of the system. This is what it runs.
_RABBITMQ: Final = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"


@attrs.define
class Broker:
    """A server that keeps its messages in a folder, also when it is killed."""

    url: str
    port: int
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a server of the tests
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        ends = time.monotonic() + _LONGEST_START
        while time.monotonic() < ends and self._process.poll() is None:
            if self._accepts():
                return
            time.sleep(0.02)
        pytest.fail(f"{self.command[0]} does not start:\n{self.log.read_text()}", pytrace=False)

    def kill(self) -> None:
        """Kill the server and what it has started."""
        if self._process is not None:
            self.send(signal.SIGKILL)
            self._process.wait()
            # What it has started may end a moment later.
            while self._accepts():
                time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send the server a signal, such as SIGSTOP, which makes it silent."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False


@contextmanager
def redis(folder: Path) -> Generator[Broker]:
    """Run Redis with an append-only file."""
    server = find("redis-server", "redis-server")
    with closed_port() as port:
        options = f"--bind 127.0.0.1 --port {port} --dir {folder} --appendonly yes"
        broker = Broker(
            f"redis://127.0.0.1:{port}",
            port,
            [server, *options.split()],
            dict(os.environ),
            folder / "log",
        )
        with _running(broker):
            yield broker


@contextmanager
def rabbitmq(folder: Path) -> Generator[Broker]:
    """Run RabbitMQ with a name service of its own, all in one folder."""
    server = find("rabbitmq-server", "rabbitmq-server")
    script = next(map(str, sorted(Path("/").glob(_RABBITMQ[1:]))), server)
    with ExitStack() as ports:
        port, distribution, names = (ports.enter_context(closed_port()) for _ in range(3))
        epmd = {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(names)}
        base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), **epmd}
        environment = {
            **base,
            "RABBITMQ_NODENAME": f"tests{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",  # no busy waiting
        }
        log = folder / "log"
        # Otherwise RabbitMQ starts one as a daemon, which stays.
        command = [find("epmd", "rabbitmq-server"), "-port", str(names)]
        broker = Broker(f"amqp://127.0.0.1:{port}", port, [script], environment, log)
        with _running(Broker("", names, command, base, log)), _running(broker):
            yield broker


@contextmanager
def _running(broker: Broker) -> Generator[None]:
    broker.start()
    try:
        yield
    finally:
        broker.kill()
