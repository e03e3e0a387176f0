"""Private: puts a checked input on the stream, with progress and stop signals."""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from restream_async import NewRestream
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.input.check import SecondReading
from restream_async.cli.options.nats import NatsCliOptions
from restream_async.cli.output.console import can_redraw, format_duration, plural, say, say_error
from restream_async.cli.output.progress_display import PlainDisplay
from restream_async.cli.output.progress_rendering import bar_width
from restream_async.cli.output.run_summary import headed, success_mark
from restream_async.cli.signals import StopSignals
from restream_async.worker.command_publishing import Published, Publisher, UnpublishedError
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.tasks import unless_set

# Seconds after a stop signal in which the server may confirm what was sent.
_STOP_SECONDS: Final = 5.0
_AGAIN: Final = "run the same command again; it does not put twice what is on the stream already"


@attrs.define(kw_only=True)
class EnqueueRun:
    """Puts the restreams of a checked input on the stream."""

    reading: SecondReading
    total: int
    nats: NatsCliOptions
    console: Console
    quiet: bool
    check_first: bool
    new: int = 0
    known: int = 0
    stopped: bool = False
    _is_over: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _log: PlainDisplay = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Start the clock of the progress lines."""
        self._log = PlainDisplay(self.console)

    async def run(self, options: NatsOptions, replicas: int) -> int:
        """Put everything on the stream, and return the exit code."""
        start = time.monotonic()
        connection = await options.connect()
        problem = ""
        signals = StopSignals(self._stop)
        try:
            jetstream = jetstream_of(connection)
            publisher = Publisher(
                jetstream=jetstream,
                subject=self.nats.subject,
                stream=self.nats.stream,
                salt=await declare_streams(jetstream, self.nats.names, replicas=replicas),
            )
            with self._progress() as progress:
                task = progress.add_task("", total=self.total)

                def on_published(published: Published) -> None:
                    self._count(published)
                    progress.update(task, completed=self._done)

                publishing = publisher.publish_all(
                    self._until_stopped(), on_published, check_first=self.check_first
                )
                async with signals:
                    await unless_set(self._is_over, publishing)
        except UnpublishedError as error:
            problem = str(error)
        finally:
            await close(connection)
        if not self.quiet:
            say(self.console, self._summary(time.monotonic() - start))
        if problem:
            say_error(f"{problem}; {_AGAIN}")
            return ExitCode.FAILED
        if signals.exit_code is not None:
            say_error(f"interrupted: {_AGAIN}")
            return signals.exit_code
        if self.reading.error is not None:
            raise self.reading.error
        return ExitCode.DONE

    @property
    def _done(self) -> int:
        return self.new + self.known

    def _until_stopped(self) -> Iterator[NewRestream]:
        for new in self.reading:
            if self.stopped:
                return
            yield new

    def _stop(self) -> None:
        self.stopped = True
        # Without an answer of the server, publishing would end only after two minutes.
        asyncio.get_running_loop().call_later(_STOP_SECONDS, self._is_over.set)

    def _count(self, published: Published) -> None:
        if published.is_new:
            self.new += 1
        else:
            self.known += 1
        if not (self.quiet or can_redraw(self.console)):
            percent = self._done * 100 // self.total
            self._log.offer(f"{percent:>3} %  {self._done:,} of {self.total:,}")

    def _progress(self) -> Progress:
        return Progress(
            BarColumn(bar_width(self.console.width)),
            TextColumn("{task.percentage:>3.0f} %"),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=self.quiet or not can_redraw(self.console),
        )

    def _summary(self, seconds: float) -> Text:
        head = success_mark(success=self._done == self.total)
        head.append(f"{self._done:,} of {plural(self.total, 'restream')} on the stream ", "bold")
        head.append(f"{self.nats.stream}, in {format_duration(seconds)}")
        return headed(head, [(self.new, "put there now"), (self.known, "that it had already")])
