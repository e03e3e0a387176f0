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

from restream_async._bulk.journal_adapter import JournalSlot
from restream_async._bulk.report import Duplicate
from restream_async._http.messages import Api
from restream_async._operations.create import Creator
from restream_async._operations.create_result import Doubt
from restream_async._operations.delete import delete
from restream_async._operations.existence import Key, key_of
from restream_async._operations.matching import Match, match
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Stop
from restream_async._retry.executor import RequestExecutor
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import NotFoundError
from restream_async.models import NewRestream, Restream

GRACE: Final = 1.0
"""Seconds that a late commit is waited for after the last doubt of a run."""

MOST_CASES: Final = 5000
"""Creations after doubt that are remembered for the end; beyond it the oldest are looked for at
once, so that memory stays bounded."""


@attrs.frozen(kw_only=True)
class DoubtfulCreation:
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
    page: JournalSlot | None = None


class Reconciliation:
    """Remembers what was in doubt, looks again, and repairs if asked to."""

    def __init__(  # noqa: PLR0913 - the parts of a client, handed over once
        self,
        executor: RequestExecutor,
        api: Api,
        creator: Creator,
        *,
        repair: bool,
        checked: Callable[[DoubtfulCreation], None],
        stop: Stop,
    ) -> None:
        """Work on one project.

        Args:
            executor: sends the requests.
            api: knows their requests.
            creator: knows what the service has shown so far.
            repair: whether to delete the copies that the run itself made.
            checked: told of each creation that was looked for again.
            stop: tells it to wait for nothing any more.

        """
        self._executor = executor
        self._api = api
        self._listing = creator.listing
        self._existence = creator.existence
        self._repair = repair
        self._checked = checked
        self._stop = stop
        self._cases: defaultdict[str, list[DoubtfulCreation]] = defaultdict(list)
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

    def remember(self, case: DoubtfulCreation) -> None:
        """Look for this one again at the end."""
        told = self._told.setdefault(key_of(case.new), set())
        if case.kept is not None:
            told.add(case.kept)
        self._cases[case.new.video_id].append(case)
        self._count += 1
        self.unchecked += 1
        self._last_doubt = self._executor.clock.now()

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
        clock = self._executor.clock
        grace = max(0.0, self._last_doubt + GRACE - clock.now())
        await self._stop.pause(clock.sleep(grace))
        videos = deque(self._cases.items())
        self._cases, self._count = defaultdict(list), 0
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._look_at(videos))
                for _ in range(min(len(videos), self._executor.limiter.ceiling))
            ]
        if any(task.cancelled() for task in tasks):
            raise cancelled_by_others()

    async def _look_at(self, videos: deque[tuple[str, list[DoubtfulCreation]]]) -> None:
        while videos:
            video_id, cases = videos.popleft()
            found = await self._list(video_id, cases)
            if isinstance(found, Failure):
                if isinstance(found.error, NotFoundError):
                    # A video that is gone has no copies.
                    for case in cases:
                        self._note_checked(case)
            else:
                shown = {restream.id for restream in found}
                for case in cases:
                    is_current = case.kept is None or case.kept in shown
                    is_open = self._leaves_open(case, found)
                    duplicate = await self._check(case, found)
                    if duplicate is not None:
                        self.duplicates.append(duplicate)
                    if is_current and not is_open:
                        self._note_checked(case, duplicate)
            self._forget(cases)

    def _note_checked(self, case: DoubtfulCreation, duplicate: Duplicate | None = None) -> None:
        self.unchecked -= 1
        if duplicate is None or duplicate.deleted == duplicate.extra:
            # Copies that stay are reported by the next run with this journal, too.
            self._checked(case)

    async def _list(self, video_id: str, cases: list[DoubtfulCreation]) -> list[Restream] | Failure:
        kept = {case.kept for case in cases if case.kept is not None}
        found = await self._list_once(video_id, cases)
        if not isinstance(found, Failure) and kept - {restream.id for restream in found}:
            # It lacks what is known to exist, so it is not up to date.
            found = await self._list_once(video_id, cases)
        return found

    async def _list_once(
        self, video_id: str, cases: list[DoubtfulCreation]
    ) -> list[Restream] | Failure:
        # Late commits are worth one check, even when there is no time.
        listing = self._listing
        read = listing.read_finally if self._stop.requested else listing.read
        deadline = self._executor.begin_patient_call(self._stop)
        return await read(video_id, deadline, about=cases[0].new)

    def _forget(self, cases: list[DoubtfulCreation]) -> None:
        for case in cases:
            self._told.pop(key_of(case.new), None)

    def _copies(self, case: DoubtfulCreation, restreams: list[Restream]) -> list[int | str]:
        others = case.doubt.others - {case.kept}
        return [
            shown.id
            for shown in restreams
            if shown.id not in others and match(case.new, shown) is Match.SAME
        ]

    def _leaves_open(self, case: DoubtfulCreation, restreams: list[Restream]) -> bool:
        """Say whether copies may be among restreams that are not shown in full."""
        known = {*case.doubt.others, *self._told.get(key_of(case.new), ())}
        return self._existence.may_hide_copies(case.new, restreams, known)

    async def _check(self, case: DoubtfulCreation, restreams: list[Restream]) -> Duplicate | None:
        told = self._told.get(key_of(case.new), set()) - {case.kept}
        ids = self._copies(case, restreams)
        strays = [identifier for identifier in ids if identifier not in told | {case.kept}]
        if not strays:
            return None
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
        return Duplicate(
            index=case.index,
            video_id=case.new.video_id,
            kept=keep,
            extra=extra,
            deleted=tuple(deleted),
            reported_failed=case.kept is None,
        )

    async def _gone(self, restream_id: int | str) -> bool:
        deadline = self._executor.begin_patient_call(self._stop)
        return await delete(self._executor, self._api, restream_id, deadline) is True
