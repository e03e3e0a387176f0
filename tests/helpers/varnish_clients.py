"""A service with a Varnish in front of it, and clients that wait no longer than needed."""

from typing import Any

import attrs

from restream_async import NewRestream, RestreamClient
from restream_async.sandbox import Sandbox
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import SleeplessClock
from tests.helpers.samples import API_KEY

STREAM_KEY = "stream-key-7be2"
PROJECT = "p1"


def service(**settings: Any) -> Sandbox:  # noqa: ANN401 - those of Sandbox
    return Sandbox(api_key=API_KEY, project_id=PROJECT, **settings)


def new(video_id: str = "v1", *, key: str = STREAM_KEY) -> NewRestream:
    return NewRestream(
        video_id=video_id,
        title="YouTube",
        stream_url="rtmps://live.example/app",
        stream_key=key,
        status=True,
    )


@attrs.frozen
class VarnishSetup:
    """A sandbox, and the base URL of the Varnish in front of it."""

    sandbox: Sandbox
    base_url: str

    def client(self, **settings: Any) -> RestreamClient:  # noqa: ANN401 - of `client_of`
        """Return a client whose sleeps end when the service has finished its work."""
        return client_of(
            self.base_url, clock=SleeplessClock(meanwhile=self.sandbox.settle), **settings
        )
