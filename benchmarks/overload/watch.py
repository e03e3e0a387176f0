"""When requests were answered, and how long that took, as their client sees it."""

import time
from types import SimpleNamespace

import aiohttp
import attrs


@attrs.frozen
class Answer:
    """A creation that was answered well.

    Attributes:
        moment: seconds after the watch was made.
        latency: seconds since it was sent.

    """

    moment: float
    latency: float


class Watch:
    """Sees the requests of an aiohttp session."""

    def __init__(self) -> None:
        """Begin now."""
        self.answers: list[Answer] = []
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._began

    def trace(self) -> aiohttp.TraceConfig:
        """Return what a session takes."""
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
