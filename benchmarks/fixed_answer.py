"""nginx, which answers that everything was created: a service that costs almost nothing."""

import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from benchmarks.service import Address
from benchmarks.suite import find

_TIMEOUT: Final = 10.0
"""Seconds for nginx to listen, and to end."""

# The result has the fields of the request, and an id.
_ENVELOPE: Final = (
    '{"success":true,"errors":[],"messages":[],"result":{"id":12345,$fields,'
    '"resultInfo":null,"statusCode":201}'
)
_GCORE: Final = json.dumps(
    {
        "id": 12345,
        "stream_id": 1,
        "name": "YouTube",
        "uri": "rtmps://a.rtmps.youtube.com/live2/abcd-efgh-ijkl-mnop",
        "active": True,
    },
    separators=(",", ":"),
)
_CONFIGURATION: Final = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  # nginx reads a body only for another server, so it asks itself.
  map $http_x_body $fields {{ "~^.(.*)$" $1; }}
  upstream itself {{ server 127.0.0.1:{port}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{
      client_body_buffer_size 64k;
      client_body_in_single_buffer on;
      rewrite ^ /answer break;
      proxy_pass http://itself;
      proxy_method GET;
      proxy_http_version 1.1;
      proxy_pass_request_body off;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_set_header X-Body $request_body;
    }}
    location = /answer {{ return 201 '{envelope}'; }}
    location /gcore/ {{ return 201 '{gcore}'; }}
  }}
}}
"""


class FixedAnswer:
    """nginx on a free port; a context manager."""

    def __init__(self) -> None:
        """Find nginx; entering starts it.

        Raises:
            MissingProgramError: it is not installed.

        """
        self._nginx = find("nginx")

    def __enter__(self) -> Address:
        """Start it, wait until it listens, and return its address."""
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        port = _free_port()
        (folder / "nginx.conf").write_text(
            _CONFIGURATION.format(folder=folder, port=port, envelope=_ENVELOPE, gcore=_GCORE),
            "utf-8",
        )
        self._process = subprocess.Popen(  # noqa: S603 - our own configuration
            [self._nginx, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"],
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_for(port)
        except BaseException:
            self._end()
            raise
        base_url = f"http://127.0.0.1:{port}"
        return Address(
            base_url=base_url, gcore_url=f"{base_url}/gcore", project_id="p1", api_key="key"
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._end()

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + _TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    log = Path(self._folder.name) / "error.log"
                    raise RuntimeError(f"nginx does not start: {log.read_text('utf-8')}") from None
                time.sleep(0.02)
            else:
                return

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
