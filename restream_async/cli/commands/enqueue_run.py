"""A checked input on its way to the stream, under a display, with Ctrl-C."""

import time
from collections.abc import Iterator
from typing import Final

import attrs
from nats.aio.client import Client
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from restream_async import ConfigurationError, NewRestream
from restream_async.cli.errors import CliError, ExitCode
from restream_async.cli.options.nats import NatsChoice
from restream_async.cli.output.console import (
    ProgressLines,
    is_lively,
    lasting,
    plural,
    say,
    say_error,
)
from restream_async.cli.output.progress import bar_width
from restream_async.cli.output.run_summary import headed, verdict_mark
from restream_async.cli.signals import Interrupts
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.publishing import Published, Publisher, UnpublishedError
from restream_async.worker.streams import declare_streams

_AGAIN: Final = "run the same command again, what is on the stream is not put there twice"


@attrs.define(kw_only=True)
class PublishRun:
    """A checked input on its way to the stream."""

    restreams: Iterator[NewRestream]
    total: int
    nats: NatsChoice
    console: Console
    quiet: bool
    look_first: bool
    new: int = 0
    known: int = 0
    stopped: bool = False
    trouble: CliError | None = None
    _lines: ProgressLines = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin to count the time between two lines."""
        self._lines = ProgressLines(self.console)

    async def run(self, options: NatsOptions, replicas: int) -> int:
        """Put all there is, and return the exit code."""
        start = time.monotonic()
        connection = await _connected(options)
        problem = ""
        interrupts = Interrupts(self._stop)
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

                def heed(published: Published) -> None:
                    self._count(published)
                    progress.update(task, completed=self.new + self.known)

                async with interrupts:
                    await publisher.publish_all(
                        self._until_stopped(), heed, look_first=self.look_first
                    )
        except ConfigurationError as error:
            raise CliError(str(error)) from None
        except UnpublishedError as error:
            problem = str(error)
        finally:
            await close(connection)
        if not self.quiet:
            say(self.console, self._summary(time.monotonic() - start))
        if problem:
            say_error(f"{problem}; {_AGAIN}")
            return ExitCode.FAILED
        if interrupts.exit_code is not None:
            say_error(f"interrupted: {_AGAIN}")
            return interrupts.exit_code
        if self.trouble is not None:
            raise self.trouble
        return ExitCode.DONE

    def _until_stopped(self) -> Iterator[NewRestream]:
        try:
            for new in self.restreams:
                if self.stopped:
                    return
                yield new
        except CliError as trouble:
            self.trouble = trouble

    def _stop(self) -> None:
        self.stopped = True

    def _count(self, published: Published) -> None:
        if published.is_new:
            self.new += 1
        else:
            self.known += 1
        if not (self.quiet or is_lively(self.console)):
            done = self.new + self.known
            self._lines.offer(f"{done * 100 // self.total:>3} %  {done:,} of {self.total:,}")

    def _progress(self) -> Progress:
        return Progress(
            BarColumn(bar_width(self.console.width)),
            TextColumn("{task.percentage:>3.0f} %"),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=self.quiet or not is_lively(self.console),
        )

    def _summary(self, took: float) -> Text:
        done = self.new + self.known
        head = verdict_mark(good=done == self.total)
        head.append(f"{done:,} of {plural(self.total, 'restream')} on the stream ", "bold")
        head.append(f"{self.nats.stream}, in {lasting(took)}")
        rows = [(self.new, "put there now"), (self.known, "that it had already")]
        return headed(head, rows)


async def _connected(options: NatsOptions) -> Client:
    try:
        return await options.connect()
    except ConfigurationError as error:
        sentence = str(error)
    raise CliError(sentence)
