"""Private: where the library reports to a telemetry library. The classes here report nothing.

The library calls these hooks everywhere, so that no other code asks whether there is telemetry.
`restream_async.telemetry` implements them for OpenTelemetry. A hook must raise nothing: a slot
would stay taken, and a restream that exists would count as failed.
"""

import contextvars
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import TracebackType
from typing import Final, Self

from restream_async.errors import RestreamError
from restream_async.models import NewRestream, Origin
from restream_async.stats import Stats


class Span:
    """A piece of work: a block around it, and calls in the block that say how it ended."""

    __slots__ = ()

    def __enter__(self) -> Self:
        """Note that it begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note that it has ended, with an exception that was raised through the block."""

    def created(self, origin: Origin, attempts: int, maybe_duplicate: bool) -> None:  # noqa: FBT001 - keywords cost more
        """Note that the restream of a creation exists."""

    def checked(self, *, exists: bool) -> None:
        """Note what an existence check has found."""

    def failed(self, error: BaseException) -> None:
        """Note why it failed."""


class AttemptSpan:
    """An attempt. It is no block, because that costs more, and `ended` must be called once."""

    __slots__ = ()

    def ended(self, status: int, error: BaseException | None = None) -> None:
        """Note the HTTP status of the response, or 0 without a response; and why it failed."""


class RunSpan(Span):
    """A run. Its tasks run in copies of its context, whatever starts them."""

    def __init__(self) -> None:
        """Make a run that is not entered yet."""
        self._context = contextvars.Context()

    def __enter__(self) -> Self:
        """Note that it begins, in the context of the caller."""
        self._context = contextvars.copy_context()
        return self

    def ended(self, counts: Mapping[str, int], error: BaseException | None) -> None:
        """Note its numbers, and the exception with which its block was left."""

    def new_context(self) -> contextvars.Context:
        """Return a new copy of the context."""
        return self._context.copy()


class ClientTelemetry:
    """The hooks of one client."""

    def observe(self, stats: Callable[[], Stats]) -> None:
        """Report the client's state from now on. `stats` is a method, and is kept weakly."""

    def close(self) -> None:
        """Report the client's state no longer."""

    def creation(self, new: NewRestream) -> Span:  # noqa: ARG002 - of the hook
        """Return the span of a creation."""
        return _NOTHING

    def attempt(self, method: str, resends: int) -> AttemptSpan:  # noqa: ARG002 - of the hook
        """Return the span of an attempt that begins now.

        Args:
            method: the HTTP method, which tells what is asked.
            resends: how often the call has sent its request before.

        """
        return _NO_ATTEMPT

    def check(self) -> Span:
        """Return the span of an existence check."""
        return _NOTHING

    def run(self, name: str) -> RunSpan:  # noqa: ARG002 - of the hook
        """Return the span of a run; `name` is the method of the client that began it."""
        return RunSpan()

    def video(self, new: NewRestream) -> Span:  # noqa: ARG002 - of the hook
        """Return the span of a run's work on the video of a wanted restream."""
        return _NOTHING

    def retried(self, error: RestreamError) -> None:
        """Note that a request is sent again because of an error."""


class Telemetry:
    """The hooks of a process, outside its clients."""

    def for_client(self, host: str, port: int) -> ClientTelemetry:  # noqa: ARG002 - of the hook
        """Return the hooks of a client of the service at this address."""
        return NO_TELEMETRY

    def sending(self, subject: str) -> Span:  # noqa: ARG002 - of the hook
        """Return the span of sending a message."""
        return _NOTHING

    def inject(self, headers: dict[str, str]) -> None:
        """Add the trace context of the current span to the headers of a message."""

    def received(self, headers: Mapping[str, str]) -> Span:  # noqa: ARG002 - of the hook
        """Return a block in which new spans belong to the trace that a message came from."""
        return _NOTHING


def default_telemetry() -> Telemetry:
    """Return OpenTelemetry if the application has set up its SDK by now, else null objects."""
    # An application that has set it up has imported these. Others need not wait for the import.
    if not sys.modules.keys() & {"opentelemetry.trace", "opentelemetry.metrics"}:
        return Telemetry()
    # By its name, because it lies above this module, and needs an extra.
    module = import_module("restream_async.telemetry")
    telemetry: Telemetry = module.default_telemetry()
    return telemetry


_NOTHING: Final = Span()
_NO_ATTEMPT: Final = AttemptSpan()
NO_TELEMETRY: Final = ClientTelemetry()
