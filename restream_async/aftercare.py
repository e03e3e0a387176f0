"""The look at the end of a run: what a slow service stored after it had given up answering.

A backend may store a restream after the cache said 503, and after the look that found nothing.
The resend then makes a second copy that no look before it could have seen. So at the end of a run
all creations that were in doubt are looked for once more.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

import attrs

from restream_async import codec
from restream_async.bookkeeping import Page
from restream_async.calls import Caller
from restream_async.concurrency import cancelled_from_outside
from restream_async.creation import Doubt, Key, copies_of, key_of
from restream_async.deadline import Stop
from restream_async.deletion import delete
from restream_async.errors import NotFoundError
from restream_async.model import NewRestream, Restream
from restream_async.report import Duplicate
from restream_async.verdict import Failure
from restream_async.wire import Api

GRACE: Final = 1.0
"""Seconds that a late commit is waited for after the last doubt of a run."""

MOST_CASES: Final = 5000
"""Creations after doubt that are remembered for the end; beyond it the oldest are looked for at
once, so that memory stays bounded."""


@attrs.frozen(kw_only=True)
class Case:
    """A creation that was in doubt.

    Attributes:
        index: the item of the input.
        new: what was asked for.
        kept: the id that its outcome carries; None where it was reported as failed.
        doubt: what was uncertain.
        page: its place in the journal, if there is one.

    """

    index: int
    new: NewRestream
    kept: int | str | None
    doubt: Doubt
    page: Page | None = None


class Aftercare:
    """Remembers what was in doubt, looks again, and repairs if asked to."""

    def __init__(
        self,
        caller: Caller,
        api: Api,
        *,
        repair: bool,
        checked: Callable[[Case], None],
        stop: Stop,
    ) -> None:
        """Work with a caller on one project.

        Args:
            caller: makes the calls.
            api: knows their requests.
            repair: whether to delete the copies that the run itself made.
            checked: told of each creation that was looked for again.
            stop: tells it to wait for nothing any more.

        """
        self._caller = caller
        self._api = api
        self._repair = repair
        self._checked = checked
        self._stop = stop
        self._cases: defaultdict[str, list[Case]] = defaultdict(list)
        self._count = 0
        # What the run has told of for the keys in doubt, whichever item it was for.
        self._told: dict[Key, set[int | str]] = {}
        self._last_doubt = 0.0
        self.duplicates: list[Duplicate] = []
        # Counted from the beginning, so that no cancellation makes it too small.
        self.unchecked = 0

    def note(self, new: NewRestream, restream_id: int | str) -> None:
        """Note what an outcome tells of: it is wanted, and no extra copy of another one."""
        # Nearly always there is nothing in doubt.
        if self._told and (told := self._told.get(key_of(new))) is not None:
            told.add(restream_id)

    def remember(self, case: Case) -> None:
        """Look for this one again at the end."""
        told = self._told.setdefault(key_of(case.new), set())
        if case.kept is not None:
            told.add(case.kept)
        self._cases[case.new.video_id].append(case)
        self._count += 1
        self.unchecked += 1
        self._last_doubt = self._caller.timing.now()

    async def make_room(self) -> None:
        """Look for the oldest at once where there are too many to remember."""
        while self._count > MOST_CASES:
            # Those of the video that has waited longest.
            video_id = next(iter(self._cases))
            cases = self._cases.pop(video_id)
            self._count -= len(cases)
            await self._look_at(deque([(video_id, cases)]))

    async def look_again(self) -> None:
        """Look for all that was in doubt, and repair if asked to.

        Raises:
            RuntimeError: somebody cancelled a part of it.

        """
        if not self._cases:
            return
        timing = self._caller.timing
        grace = max(0.0, self._last_doubt + GRACE - timing.now())
        await self._stop.pause(timing.sleep(grace))
        videos = deque(self._cases.items())
        self._cases, self._count = defaultdict(list), 0
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._look_at(videos))
                for _ in range(min(len(videos), self._caller.gate.ceiling))
            ]
        if any(task.cancelled() for task in tasks):
            raise cancelled_from_outside()

    async def _look_at(self, videos: deque[tuple[str, list[Case]]]) -> None:
        while videos:
            video_id, cases = videos.popleft()
            # Late commits are worth one look, even when there is no time.
            caller = self._caller
            look = caller.attempt_finally if self._stop.requested else caller.insist
            found = await look(
                self._api.list(video_id, about=cases[0].new),
                codec.restreams,
                caller.begin_patiently(self._stop),
            )
            if isinstance(found, Failure):
                if not isinstance(found.error, NotFoundError):
                    self._forget(cases)
                    continue
                found = []
            for case in cases:
                await self._check(case, found)
                self._checked(case)
                self.unchecked -= 1
            self._forget(cases)

    def _forget(self, cases: list[Case]) -> None:
        for case in cases:
            self._told.pop(key_of(case.new), None)

    async def _check(self, case: Case, restreams: list[Restream]) -> None:
        told = self._told.get(key_of(case.new), set()) - {case.kept}
        others = frozenset(case.doubt.others - {case.kept})
        ids = [copy.id for copy in copies_of(case.new, restreams, others)]
        strays = [identifier for identifier in ids if identifier not in told | {case.kept}]
        if not strays:
            return
        keep = case.kept
        if keep is None:
            # What an equal item was given stands for this one too.
            keep = next((identifier for identifier in ids if identifier in told), strays[0])
        extra = tuple(identifier for identifier in strays if identifier != keep)
        # Another case of the same restream need not tell of them again.
        restreams[:] = [copy for copy in restreams if copy.id not in extra]
        # More copies than attempts in doubt: somebody else creates them too.
        all_ours = case.doubt.absent_before and len(extra) <= case.doubt.posts
        ours = self._repair and all_ours and keep in ids
        deleted = [identifier for identifier in extra if ours and await self._gone(identifier)]
        self.duplicates.append(
            Duplicate(
                index=case.index,
                video_id=case.new.video_id,
                kept=keep,
                extra=extra,
                deleted=tuple(deleted),
                reported_failed=case.kept is None,
            )
        )

    async def _gone(self, restream_id: int | str) -> bool:
        deadline = self._caller.begin_patiently(self._stop)
        return await delete(self._caller, self._api, restream_id, deadline) is True
