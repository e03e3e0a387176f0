"""Checks the store of a sandbox after every request, and calls back at a chosen one."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from restream_async import NewRestream
from restream_async.sandbox import Sandbox
from restream_async.sandbox.requests import SandboxRequest
from restream_async.sandbox.responses import SandboxResponse
from restream_async.sandbox.restream_store import RestreamStore, Stored
from restream_async.sandbox.service import RunLater, Service

_Destination: TypeAlias = tuple[str, str, str]
"""Video, stream URL and title: what remains when a stream key is replaced."""


@attrs.define
class Watch:
    """Stands between the server of a sandbox and its service.

    Attributes:
        requests: how many requests there were.
        gaps: wanted destinations that existed and then did not, in words.

    """

    _service: Service
    requests: int = 0
    gaps: list[str] = attrs.field(factory=list[str])
    _wanted: frozenset[_Destination] = frozenset()
    _existing: frozenset[_Destination] = frozenset()
    _countdown: int = 0
    _on_request: Callable[[str], object] | None = None

    @classmethod
    def over(cls, sandbox: Sandbox) -> "Watch":
        """Watch a sandbox from now on."""
        # Nothing public sees every request at the moment of its effect.
        service = sandbox._service  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        watch = cls(service)
        respond = service.respond

        def watched(
            request: SandboxRequest, authorization: str, body: bytes, run_later: RunLater
        ) -> SandboxResponse:
            watch._begin()
            response = respond(request, authorization, body, run_later)
            watch._end()
            return response

        vars(service)["respond"] = watched
        return watch

    @property
    def store(self) -> RestreamStore:
        """The store of the sandbox."""
        return self._service.store

    def expect(self, wanted: Iterable[NewRestream]) -> None:
        """From now on, these destinations must go on to exist once they exist."""
        self._wanted = frozenset(map(_destination, wanted))
        self._existing = self._wanted & frozenset(map(_destination, self.store.all()))

    def at_request(self, number: int, call: Callable[[str], object]) -> None:
        """Call `call` with "before" and "after" the effect of a request to come; 1 is the next."""
        self._countdown, self._on_request = number, call

    def _begin(self) -> None:
        self.requests += 1
        self._countdown -= 1
        self._call("before")

    def _end(self) -> None:
        now = self._wanted & frozenset(map(_destination, self.store.all()))
        self.gaps += [f"{title} of {video} is gone" for video, _, title in self._existing - now]
        self._existing = now
        self._call("after")

    def _call(self, moment: str) -> None:
        if self._countdown == 0 and self._on_request is not None:
            self._on_request(moment)


def _destination(restream: NewRestream | Stored) -> _Destination:
    return restream.video_id, restream.stream_url, restream.title
