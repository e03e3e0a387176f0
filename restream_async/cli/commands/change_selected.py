"""Private: finds restreams of videos and changes them, for `enable`, `disable` and `delete`."""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import attrs

from restream_async import OutageError, Restream, RestreamClient, RestreamError
from restream_async._util.parallel import run_in_tasks
from restream_async.cli.errors import CliError, exit_code_of
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.options.selection import SelectionOptions
from restream_async.cli.output.changed_restreams import ChangedRestreams, Words
from restream_async.cli.output.console import console_on, leave_echoed_line, plural, safe, say
from restream_async.cli.output.progress_display import PlainDisplay
from restream_async.cli.output.restreams import print_restreams
from restream_async.cli.prompt import confirmed
from restream_async.cli.signals import StopSignals

_MOST_TASKS: Final = 64
"""Videos that are worked on at the same time. The limit of the client may be lower."""


@attrs.frozen(kw_only=True)
class RestreamChange:
    """What a command does to each selected restream.

    Attributes:
        words: how to speak of it.
        is_needed: whether a restream has to be changed.
        make: changes a restream, and returns it as it is afterwards.
        most_unasked: how many are changed without asking.
        always_shown: whether the table is printed even if nothing is asked.

    """

    words: Words
    is_needed: Callable[[Restream], bool] = lambda _: True
    make: Callable[[RestreamClient, Restream], Awaitable[Restream]]
    most_unasked: int = 0
    always_shown: bool = False


@attrs.frozen(kw_only=True)
class SelectedRestreams:
    """Changes the selected restreams of videos.

    Attributes:
        client: the client; closed at the end.
        video_ids: the videos.
        selection: which of their restreams.
        change: what is done to each.
        yes: whether nothing is asked.
        as_json: whether the ends are printed as JSON lines.

    """

    client: RestreamClient
    video_ids: Sequence[str]
    selection: SelectionOptions
    change: RestreamChange
    yes: bool
    as_json: bool

    def run(self) -> int:
        """Do it in an event loop of its own, and return the exit code.

        Raises:
            CliError: nothing is selected, it was interrupted before anything was changed, or
                standard output could not be written.
            RestreamError: the service accepts no call at all.

        """
        return run_async(self._run())

    async def _run(self) -> int:
        async with self.client:
            found = await self._list()
            selected: list[Restream] = []
            failed: dict[str, RestreamError] = {}
            for video_id, listed in found.items():
                if isinstance(listed, RestreamError):
                    failed[video_id] = listed
                else:
                    selected += listed
            without = [video_id for video_id, listed in found.items() if listed == []]
            if not (selected or failed):
                see = command("list", safe(without[0]))
                raise CliError(f"{self._nothing(without)}: see {see}", ExitCode.FAILED)
            if without:
                say(console_on(sys.stderr), f"{self._nothing(without)}.")
            report = ChangedRestreams(
                self.change.words,
                total=len(selected),
                unread=len(failed),
                as_json=self.as_json,
            )
            for video_id, error in failed.items():
                report.video_failed(video_id, error)
            needed = [each for each in selected if self.change.is_needed(each)]
            if not self._may_change(needed):
                return ExitCode.DONE
            for each in selected:
                if not self.change.is_needed(each):
                    report.unchanged(each)
            code = await self._change(needed, report)
        if report.problem:
            problem = f"standard output could not be written: {report.problem}"
            raise CliError(f"{report.summary} {problem}", ExitCode.FAILED)
        say(console_on(sys.stderr), report.summary)
        return code

    async def _list(self) -> dict[str, list[Restream] | RestreamError]:
        """Return what is selected of each video, or why it could not be listed."""
        waiting = iter(self.video_ids)
        found: dict[str, list[Restream] | RestreamError] = {}
        tasks: set[asyncio.Task[None]] = set()
        log = PlainDisplay(console_on(sys.stderr))

        async def list_videos() -> None:
            for video_id in waiting:
                found[video_id] = await self._list_video(video_id)
                log.offer(f"{len(found):,} of {plural(len(self.video_ids), 'video')} listed")

        def stop() -> None:
            for task in tasks:
                task.cancel()

        async with StopSignals(stop) as signals:
            await run_in_tasks(list_videos, min(len(self.video_ids), _MOST_TASKS), tasks)
        if signals.exit_code is not None:
            leave_echoed_line(console_on(sys.stderr))
            message = f"interrupted: nothing was {self.change.words.done}"
            raise CliError(message, ExitCode(signals.exit_code))
        return {video_id: found[video_id] for video_id in self.video_ids}

    async def _list_video(self, video_id: str) -> list[Restream] | RestreamError:
        try:
            listed = await self.client.list(video_id)
        except RestreamError as error:
            if exit_code_of(error) is ExitCode.USAGE or isinstance(error, OutageError):
                # It is not about this video: all others would fail as well.
                raise
            return error
        # A list may leave out the video id.
        restreams = [attrs.evolve(each, video_id=video_id) for each in listed]
        return [each for each in restreams if self.selection.selects(each)]

    def _nothing(self, video_ids: Sequence[str]) -> str:
        """Return that these videos have no selected restream, as a sentence."""
        one, *others = video_ids
        if others:
            return (
                f"{len(video_ids):,} videos, such as {safe(one)}, have no restream{self.selection}"
            )
        return f"{safe(one)} has no restream{self.selection}"

    def _may_change(self, needed: list[Restream]) -> bool:
        """Show what is changed, and ask if that is necessary."""
        asks = not self.yes and len(needed) > self.change.most_unasked
        if asks or (self.change.always_shown and needed):
            print_restreams(console_on(sys.stderr), needed, with_video=len(self.video_ids) > 1)
        if not asks:
            return True
        words = self.change.words
        videos = plural(len({each.video_id for each in needed}), "video")
        question = f"{words.verb} {plural(len(needed), 'restream')} of {videos}? [y/N]"
        return confirmed(question, verb=words.verb.lower(), done=words.done)

    async def _change(self, needed: Iterable[Restream], report: ChangedRestreams) -> int:
        """Change restreams, those of one video one after the other, and return the exit code."""
        videos: dict[str, list[Restream]] = {}
        for each in needed:
            videos.setdefault(each.video_id, []).append(each)
        waiting = deque(videos.values())
        console = console_on(sys.stderr)
        over = False
        ending: asyncio.Task[None] | None = None

        async def change_videos() -> None:
            nonlocal over
            while waiting and not over:
                for restream in waiting.popleft():
                    if not over:
                        error = await self._change_one(restream, report)
                        over = over or isinstance(error, OutageError)

        def stop() -> None:
            nonlocal over, ending
            over = True
            leave_echoed_line(console)
            say(
                console,
                "Stopping: requests in flight are finished first. Ctrl-C again stops at once.",
            )
            ending = asyncio.create_task(self._end_calls())

        async with StopSignals(stop) as signals:
            await run_in_tasks(change_videos, min(len(videos), _MOST_TASKS))
        if ending is not None:
            await ending
        if signals.exit_code is not None:
            return signals.exit_code
        return ExitCode.DONE if report.succeeded else ExitCode.FAILED

    async def _change_one(
        self, restream: Restream, report: ChangedRestreams
    ) -> RestreamError | None:
        """Change a restream, report its end, and return its error."""
        try:
            after = await self.change.make(self.client, restream)
        except RestreamError as error:
            report.failed(restream, error)
            return error
        except asyncio.CancelledError:
            report.interrupted(restream)
            raise
        report.changed(attrs.evolve(after, video_id=restream.video_id))
        return None

    async def _end_calls(self) -> None:
        """End waits at once, and requests that are in flight after the grace period."""
        await self.client.drain(0.0)
        await self.client.close()
