"""Private: prints outcomes from the stream."""

import asyncio
import datetime as dt
import sys
import textwrap
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

import attrs

from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.output.console import console_on, leave_echoed_line
from restream_async.cli.output.line_writer import LineWriter
from restream_async.cli.output.worker_reports import outcome_text, report_json
from restream_async.cli.signals import StopSignals
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.stream_reading import json_object, read_stream
from restream_async.worker.subjects import Subjects
from restream_async.worker.tasks import unless_set

_INDENT: Final = " " * 21
"""The width of the time at the beginning of a line."""


@attrs.frozen(kw_only=True)
class OutcomesRun:
    """Prints outcomes.

    Attributes:
        since: when the stream got the first one.
        failed: whether only failures are printed.
        follow: whether to wait for more of them without end.
        as_json: whether to print JSON lines.

    """

    since: dt.datetime | None
    failed: bool
    follow: bool
    as_json: bool

    async def run(self, options: NatsOptions, names: Subjects) -> int:
        """Print until the end or a stop signal, and return the exit code.

        Raises:
            ConfigurationError: the server cannot be reached, or there is no stream.
            CliError: standard output cannot be written.

        """
        stop = asyncio.Event()
        async with StopSignals(stop.set) as signals:
            await unless_set(stop, self._print(options, names))
        if signals.exit_code is None:
            return ExitCode.DONE
        leave_echoed_line(console_on(sys.stderr))
        return signals.exit_code

    async def _print(self, options: NatsOptions, names: Subjects) -> None:
        connection = await options.connect()
        messages = read_stream(
            jetstream_of(connection),
            names.outcomes_stream,
            subject=names.outcomes,
            since=self.since,
            follow=self.follow,
        )
        try:
            async with aclosing(messages), LineWriter(sys.stdout.fileno()) as writer:
                async for message in messages:
                    body, time = json_object(message.data), message.metadata.timestamp
                    if self.failed and body.get("outcome") == "created":
                        continue
                    if not await writer.write(self._line(body, time)):
                        break
        finally:
            await close(connection)
        # A reader that has seen enough closes the pipe.
        if writer.error is not None and not isinstance(writer.error, BrokenPipeError):
            problem = system_reason(writer.error)
            raise CliError(f"standard output could not be written: {problem}", ExitCode.FAILED)

    def _line(self, body: Mapping[str, Any], time: dt.datetime) -> str:
        if self.as_json:
            return report_json(body, time)
        text = outcome_text(body, time)
        console = console_on(sys.stdout)
        if not console.file.isatty():
            return text
        return textwrap.fill(text, console.width, subsequent_indent=_INDENT, break_on_hyphens=False)
