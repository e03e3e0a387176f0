"""The health endpoint of a worker: `/livez`, `/readyz` and `/metrics`, by HTTP.

If the event loop is blocked, nothing answers, and the probe fails by its time-out.
"""

import contextlib
import logging
import os
import socket
from collections.abc import AsyncGenerator
from typing import Final

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from restream_async.errors import ConfigurationError
from restream_async.telemetry import OpenTelemetry
from restream_async.worker.activity import Activity
from restream_async.worker.health_address import HealthAddress
from restream_async.worker.metrics import WorkerMetrics

# Half the seconds for which a slow caller can hold the end of the worker.
_SHUTDOWN_SECONDS: Final = 0.2

_log: Final = logging.getLogger("restream_async.worker")


@contextlib.asynccontextmanager
async def serve_health(address: HealthAddress, activity: Activity) -> AsyncGenerator[OpenTelemetry]:
    """Serve the endpoint while the block runs.

    Args:
        address: where to listen.
        activity: what the worker is doing.

    Returns:
        what the client needs, so that `/metrics` has its metrics too.

    Raises:
        ConfigurationError: the address cannot be used.

    """
    metrics = WorkerMetrics(activity)
    app = web.Application()
    app.router.add_get("/metrics", make_aiohttp_handler(metrics.registry))

    async def livez(_: web.Request) -> web.Response:
        return _answer(activity.liveness_problem(), "alive")

    async def readyz(_: web.Request) -> web.Response:
        # A restart would not help, nor would other workers: they meet the same service.
        outage = activity.outage()
        held = f"\nthe service cannot be reached, so messages are held: {outage}" if outage else ""
        return _answer(activity.readiness_problem(), f"ready{held}")

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, lingering_time=0.0
    )
    await runner.setup()
    try:
        await _listen(runner, address)
        yield metrics.telemetry
    finally:
        await runner.cleanup()
        metrics.close()


async def _listen(runner: web.AppRunner, address: HealthAddress) -> None:
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        if isinstance(error, socket.gaierror):
            problem = "there is no such host"
        else:
            # asyncio's own text repeats the address.
            problem = os.strerror(error.errno) if error.errno else str(error)
    else:
        shown = f"[{address.host}]" if ":" in address.host else address.host
        _log.info("health endpoint: http://%s:%d/readyz", shown, runner.addresses[0][1])
        return
    raise ConfigurationError(
        f"the health endpoint cannot listen on {address.host}, port {address.port}: {problem}"
    )


def _answer(problem: str, fine: str) -> web.Response:
    return web.Response(status=503 if problem else 200, text=f"{problem or fine}\n")
