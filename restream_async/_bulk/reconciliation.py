"""Private: reconciliation at the end of a run: finds and repairs what a service stored late.

A service may store a restream after its cache has answered 503, and after the existence check found
nothing. The resend then makes a second copy that no check before it could have found. So at the end
of a run, all creations that were in doubt are checked once more.
"""

from collections import defaultdict
from typing import Final

import attrs

from restream_async._bulk.journal_adapter import JournalSlot
from restream_async._bulk.report import Duplicate
from restream_async._http.api import Api
from restream_async._operations.create import Creator
from restream_async._operations.create_result import Doubt
from restream_async._operations.delete import delete
from restream_async._operations.existence import Key, key_of
from restream_async._operations.matching import Match, match
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Stop
from restream_async._retry.executor import RequestExecutor
from restream_async._util.parallel import for_each
from restream_async.errors import NotFoundError
from restream_async.models import NewRestream, Restream

LATE_COMMIT_WAIT: Final = 1.0
"""Seconds from the last doubt of a run to its reconciliation. Late commits may come meanwhile."""

MOST_REMEMBERED: Final = 5000
"""Creations in doubt that are remembered for the end of the run. If there are more, the oldest are
checked at once, so that memory stays bounded."""


@attrs.frozen(kw_only=True)
class DoubtfulCreation:
    """A creation that was in doubt.

    Attributes:
        index: the item of the input.
        new: what was asked for.
        kept: the id that its outcome carries; None if it was reported as failed.
        doubt: what was uncertain.
        slot: its slot in the journal, if there is one.

    """

    index: int
    new: NewRestream
    kept: int | str | None
    doubt: Doubt
    slot: JournalSlot | None = None


class Reconciliation:
    """Remembers the creations in doubt, checks them again, and deletes extra copies if asked to.

    Attributes:
        duplicates: the extra copies that were found.
        unchecked: how many creations in doubt are not checked again yet, or could not be.

    """

    _last_doubt: float

    def __init__(
        self,
        executor: RequestExecutor,
        api: Api,
        creator: Creator,
        *,
        repair: bool,
        stop: Stop,
    ) -> None:
        """Start with no doubts.

        Args:
            executor: sends the requests.
            api: makes the requests.
            creator: knows what the service has shown so far.
            repair: whether to delete the copies that the run itself made.
            stop: ends all waits when it is requested.

        """
        self._executor = executor
        self._api = api
        self._listing = creator.listing
        self._existence = creator.existence
        self._repair = repair
        self._stop = stop
        self._by_video: defaultdict[str, list[DoubtfulCreation]] = defaultdict(list)
        self._count = 0
        # The ids that outcomes carry, for the keys in doubt.
        self._reported: dict[Key, set[int | str]] = {}
        self.duplicates: list[Duplicate] = []
        # Counted down, so that no cancellation makes it too small.
        self.unchecked = 0

    def note_outcome(self, new: NewRestream, restream_id: int | str) -> None:
        """Note that an outcome carries an id, so that it is no extra copy of another item."""
        # Nearly always there is nothing in doubt.
        if self._reported and (ids := self._reported.get(key_of(new))) is not None:
            ids.add(restream_id)

    def remember(self, creation: DoubtfulCreation) -> None:
        """Check a creation again at the end of the run."""
        self._reported.setdefault(key_of(creation.new), set())
        self._by_video[creation.new.video_id].append(creation)
        self._count += 1
        self.unchecked += 1
        self._last_doubt = self._executor.clock.now()

    async def check_oldest_if_too_many(self) -> None:
        """Check the oldest creations at once if too many are remembered."""
        while self._count > MOST_REMEMBERED:
            video_id = next(iter(self._by_video))
            creations = self._by_video.pop(video_id)
            self._count -= len(creations)
            await self._check_video(video_id, creations)

    async def check_all(self) -> None:
        """Check all remembered creations, and delete extra copies if asked to.

        Raises:
            RuntimeError: other code cancelled a part of it.

        """
        if not self._by_video:
            return
        clock = self._executor.clock
        wait = max(0.0, self._last_doubt + LATE_COMMIT_WAIT - clock.now())
        await self._stop.pause(clock.sleep(wait))
        videos = self._by_video.items()
        await for_each(
            videos, lambda video: self._check_video(*video), most=self._executor.limiter.ceiling
        )

    async def _check_video(self, video_id: str, creations: list[DoubtfulCreation]) -> None:
        listed = await self._list(video_id, creations)
        if not isinstance(listed, Failure):
            shown = {restream.id for restream in listed}
            for creation in creations:
                up_to_date = creation.kept is None or creation.kept in shown
                inconclusive = self._may_hide_copies(creation, listed)
                duplicate = await self._find_duplicate(creation, listed)
                if duplicate is not None:
                    self.duplicates.append(duplicate)
                if up_to_date and not inconclusive:
                    self._note_checked(creation, duplicate)
        elif isinstance(listed.error, NotFoundError):
            # A video that does not exist has no copies.
            for creation in creations:
                self._note_checked(creation)
        for creation in creations:
            self._reported.pop(key_of(creation.new), None)

    def _note_checked(self, creation: DoubtfulCreation, duplicate: Duplicate | None = None) -> None:
        self.unchecked -= 1
        copies_stay = duplicate is not None and duplicate.deleted != duplicate.extra
        # Then the next run with this journal reports them, too.
        if creation.slot is not None and not copies_stay:
            creation.slot.note_checked()

    async def _list(
        self, video_id: str, creations: list[DoubtfulCreation]
    ) -> list[Restream] | Failure:
        kept = {creation.kept for creation in creations if creation.kept is not None}
        listed = await self._list_once(video_id, creations[0].new)
        if not isinstance(listed, Failure) and kept - {restream.id for restream in listed}:
            # The list lacks a restream that is known to exist, so it is not up to date.
            listed = await self._list_once(video_id, creations[0].new)
        return listed

    async def _list_once(self, video_id: str, new: NewRestream) -> list[Restream] | Failure:
        listing = self._listing
        # Even a run that was stopped checks once, but without retries.
        read = listing.read_finally if self._stop.requested else listing.read
        deadline = self._executor.begin_patient_call(self._stop)
        return await read(video_id, deadline, about=new)

    def _may_hide_copies(self, creation: DoubtfulCreation, listed: list[Restream]) -> bool:
        """Return whether copies may be among restreams that are not shown in full."""
        known = {*creation.doubt.others, *self._reported.get(key_of(creation.new), ())}
        return self._existence.may_hide_copies(creation.new, listed, known)

    async def _find_duplicate(
        self, creation: DoubtfulCreation, listed: list[Restream]
    ) -> Duplicate | None:
        """Find copies that no outcome carries, and delete them if asked to."""
        kept = creation.kept
        others = creation.doubt.others - {kept}
        reported = self._reported.get(key_of(creation.new), set()) - {kept}
        ids = [
            shown.id
            for shown in listed
            if shown.id not in others and match(creation.new, shown) is Match.SAME
        ]
        unreported = [each for each in ids if each not in reported | {kept}]
        if not unreported:
            return None
        if kept is None:
            # The restream of an equal item stands for this one too.
            kept = next((each for each in ids if each in reported), unreported[0])
        extra = tuple(each for each in unreported if each != kept)
        # Another creation of the same restream does not report them again.
        listed[:] = [copy for copy in listed if copy.id not in extra]
        # If there are more copies than attempts in doubt, other code creates them too.
        all_ours = creation.doubt.absent_before and len(extra) <= creation.doubt.posts
        delete_them = self._repair and all_ours and kept in ids
        deleted = [each for each in extra if delete_them and await self._delete(each)]
        return Duplicate(
            index=creation.index,
            video_id=creation.new.video_id,
            kept=kept,
            extra=extra,
            deleted=tuple(deleted),
            reported_failed=creation.kept is None,
        )

    async def _delete(self, restream_id: int | str) -> bool:
        deadline = self._executor.begin_patient_call(self._stop)
        return await delete(self._executor, self._api, restream_id, deadline) is True
