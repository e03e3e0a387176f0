"""A client of anything that answers over HTTP."""

from typing import Any, Protocol

from restream_async import RestreamClient, RetryPolicy
from restream_async._util.clock import Clock
from tests.helpers.fast_clock import FastClock
from tests.helpers.samples import API_KEY


class Server(Protocol):
    """A sandbox, or another server that may take any project and API key."""

    @property
    def base_url(self) -> str: ...


def client_of(
    server: Server | str,
    *,
    clock: FastClock | Clock | None = None,
    attempts: int = 5,
    deadline: float = 120.0,
    **settings: Any,  # noqa: ANN401 - of a client
) -> RestreamClient:
    """Return a client of a server or base URL, whose sleeps take no time unless `clock` says so."""
    given: dict[str, Any] = {
        "base_url": server if isinstance(server, str) else server.base_url,
        "project_id": getattr(server, "project_id", "p1"),
        "api_key": getattr(server, "api_key", API_KEY),
        "retry": RetryPolicy(attempts=attempts, deadline=deadline),
        "clock": clock if isinstance(clock, Clock) else (clock or FastClock()).as_clock(),
        "timeout": 5.0,
        **settings,
    }
    return RestreamClient(**given)
