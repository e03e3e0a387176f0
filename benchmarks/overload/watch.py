"""The moments and latencies of responses, as the client sees them."""

import time
from types import SimpleNamespace

import aiohttp
import attrs


@attrs.frozen
class Answer:
    """The response to a successful creation.

    Attributes:
        moment: seconds after the watch was made.
        latency: seconds since it was sent.

    """

    moment: float
    latency: float


class Watch:
    """Traces the requests of an aiohttp session."""

    def __init__(self) -> None:
        """Start the clock."""
        self.answers: list[Answer] = []
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._began

    def trace(self) -> aiohttp.TraceConfig:
        """Return the trace configuration for a session."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._sent)
        trace.on_request_end.append(self._answered)
        return trace

    async def _sent(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        request: aiohttp.TraceRequestStartParams,
    ) -> None:
        del session, request
        context.sent = self.seconds

    async def _answered(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        answer: aiohttp.TraceRequestEndParams,
    ) -> None:
        del session
        if answer.method == "POST" and answer.response.ok:
            now = self.seconds
            self.answers.append(Answer(now, now - context.sent))
