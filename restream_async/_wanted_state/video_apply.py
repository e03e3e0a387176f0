"""Private: applies the wanted state to one video. The flow is in `VideoApply._apply`.

    list > compare > create > set statuses > list again > delete

Nothing is deleted before all that is wanted was created, and an old restream is deleted only if a
list shows its successor. So a run that is killed at any moment leaves the old one, the new one, or
both, and the next run finds the rest in the list.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from itertools import chain
from typing import Final

import attrs

from restream_async._bulk.journal_adapter import JournalAdapter
from restream_async._bulk.reconciliation import LATE_COMMIT_WAIT
from restream_async._http.api import Api
from restream_async._operations.create_result import CreateFailed
from restream_async._operations.delete import delete
from restream_async._operations.existence import Key, key_of
from restream_async._operations.set_status import StatusSetter
from restream_async._retry.classification import Failure
from restream_async._util.parallel import for_each
from restream_async._wanted_state.adapted_changes import adapt
from restream_async._wanted_state.creations import Creations
from restream_async._wanted_state.current_state import VideoReader, unread
from restream_async._wanted_state.difference import DELETING, difference, present_in
from restream_async._wanted_state.progress import Progress
from restream_async._wanted_state.wanted_videos import WantedVideo
from restream_async.changes import Action, Change
from restream_async.errors import MalformedResponseError, NotFoundError, RestreamError
from restream_async.models import NewRestream, Restream

_OLD_KEPT: Final = "the new restream was created, and the old one was kept: apply again"
_NOT_CREATED: Final = "another restream of the video could not be created, so this one was kept"
_REFUSED: Final = "the service says that it did not delete the restream"


@attrs.frozen(kw_only=True)
class ApplyOptions:
    """What an apply may do, and what it needs for that.

    Attributes:
        api: makes the requests.
        statuses: sets the statuses.
        rotate: whether stream keys may be replaced.
        prune: whether extras and duplicates may be deleted.
        journal: notes the creations, if there is one.

    """

    api: Api
    statuses: StatusSetter
    rotate: bool
    prune: bool
    journal: JournalAdapter | None = None


class VideoApply:
    """Brings one video to its wanted state."""

    def __init__(self, video: WantedVideo, reader: VideoReader, options: ApplyOptions) -> None:
        """Send nothing yet."""
        self._video = video
        self._reader = reader
        self._executor = reader.executor
        self._options = options
        self._creations = Creations(video, reader, options.journal)
        self._progress = Progress(options.api)
        self._deleted: list[Restream] = []

    @property
    def changes(self) -> list[Change]:
        """The changes with their results."""
        return self._progress.changes

    async def run(self) -> None:
        """List, compare, create, set statuses, list again, delete.

        Raises:
            JournalError: the journal cannot be used; what needs it was not sent.

        """
        async with AsyncExitStack() as stack:
            deadline = self._executor.begin_patient_call(self._reader.stop)
            turn = self._options.statuses.turn(self._video.video_id, deadline)
            try:
                await stack.enter_async_context(turn)
            except TimeoutError:
                # The run was stopped.
                return
            await self._apply()

    def finish(self, error: RestreamError) -> None:
        """Report what is not done because of `error`, or may have been done."""
        self._creations.finish()
        if not self.changes:
            self.changes.extend(unread(self._video, error))
        self._note_created()
        for number in self._unverified():
            if number not in self._progress.interrupted:
                self._progress.leave(number, _OLD_KEPT)
        self._progress.finish(error)

    async def _apply(self) -> None:
        await self._creations.read_journal()
        with self._reader.creator.turns.watch(self._video.video_id) as ended:
            listed = await self._reader.read(self._video)
            if isinstance(listed, Failure):
                self.changes.extend(unread(self._video, listed.error))
                return
            for change in self._difference(listed):
                self._progress.add(change)
            await self._create({shown.id for shown in listed}, ended)
        after = await self._set_statuses(listed)
        await self._verify(after)
        await self._delete()

    def _difference(self, listed: Sequence[Restream]) -> list[Change]:
        named = {
            change.existing.id
            for change in self.changes
            if change.existing is not None and change.action not in DELETING
        }
        created = {restream.id for restream in self._creations.created.values()}
        return difference(
            self._video.wanted,
            listed,
            rotate=self._options.rotate,
            prune=self._options.prune,
            existence=self._reader.creator.existence,
            known=named | created,
        )

    async def _create(self, listed: AbstractSet[int | str], ended: AbstractSet[Key]) -> None:
        """Create what is missing, each once.

        Args:
            listed: the ids that the list has shown.
            ended: the creations of the client that have ended since; it grows.

        """
        present = present_in(self.changes)
        await self._creations.note_existing(present)
        missing: dict[Key, NewRestream] = {}
        for _, change in self._progress.open():
            new = change.wanted
            if new is not None and key_of(new) not in present:
                missing[key_of(new)] = new
        await self._creations.create([*missing.values()], listed, ended)
        self._note_created()
        if self._creations.in_doubt:
            # A copy may come late.
            await self._reader.stop.pause(self._executor.clock.sleep(LATE_COMMIT_WAIT))

    def _note_created(self) -> None:
        """Note on the changes how the creations ended."""
        for number, change in self._progress.open():
            new = change.wanted
            result = self._creations.results.get(key_of(new)) if new is not None else None
            if isinstance(result, CreateFailed):
                self._progress.fail(number, result.error)
            elif result is not None and change.action is Action.CREATE:
                self._progress.note(number, result.restream)
                if "status" not in self.changes[number].differences:
                    self._progress.close(number)

    async def _set_statuses(self, listed: Sequence[Restream]) -> list[Restream] | Failure | None:
        """Set the statuses that differ; return the list that was read afterwards."""
        progress = self._progress
        numbers = self._with_other_status()
        if not numbers:
            return None
        known = [*listed, *self._creations.created.values()]
        on = {each.id: not each.status for each in known if each.id in numbers}
        deadline = self._executor.begin_patient_call(self._reader.stop)
        try:
            result = await self._options.statuses.set(
                self._video.video_id, on, deadline, listed=known
            )
        except RestreamError as error:
            for number in chain.from_iterable(numbers.values()):
                progress.fail(number, error.with_traceback(None))
            return None
        except BaseException:
            if deadline.in_doubt:
                progress.interrupted.update(*numbers.values())
            raise
        for restream_id, end in result.restreams.items():
            self._note_status(numbers[restream_id], end)
        # Without a toggle that was sent, it is the list from before.
        return result.listed if result.listed != known else None

    def _note_status(self, numbers: Sequence[int], end: Restream | Failure) -> None:
        """Note on the changes to a restream how its status was set."""
        if isinstance(end, Failure):
            self._reader.on_failure(end.error)
        for number in numbers:
            if isinstance(end, Failure):
                self._progress.fail(number, end.error)
            elif self.changes[number].action not in DELETING:
                self._progress.close(number, existing=end)

    def _with_other_status(self) -> Mapping[int | str, Sequence[int]]:
        """Return the restreams whose status differs, and the numbers of the changes to each.

        A service may create a restream with another status than it was asked for.
        """
        created = self._creations.created
        found: defaultdict[int | str, list[int]] = defaultdict(list)
        for number, change in self._progress.open():
            new = change.wanted
            if new is None:
                continue
            shown = None if change.action in DELETING else change.existing
            shown = created.get(key_of(new), shown)
            if shown is not None and shown.status != new.status:
                found[shown.id].append(number)
        return found

    async def _verify(self, after: list[Restream] | Failure | None) -> None:
        """List again if there is something to verify, and adapt the changes to what it shows."""
        rotated = self._unverified()
        if after is None and (rotated or self._creations.in_doubt):
            after = await self._reader.read(self._video)
        if isinstance(after, Failure):
            after.error.note = after.error.note or _OLD_KEPT
            for number in rotated:
                self._progress.fail(number, after.error)
        elif after is not None:
            self._compare_again(after)

    def _unverified(self) -> list[int]:
        """Return the rotations whose new restream was created, and not yet seen in a list."""
        created = self._creations.created
        return [
            number
            for number, change in self._progress.open()
            if change.wanted is not None
            and change.action in DELETING
            and key_of(change.wanted) in created
        ]

    def _compare_again(self, after: Sequence[Restream]) -> None:
        """Adapt the changes to those of a later list."""
        later = self._difference(after)
        adapt(self._progress, later)
        if not any(change.is_duplicate for change in later):
            self._creations.note_checked()

    async def _delete(self) -> None:
        """Delete what is to be deleted."""
        missing = any(
            change.error is not None and change.action in {Action.CREATE, Action.ROTATE}
            for change in self.changes
        )
        todo: list[tuple[int, Restream]] = []
        for number, change in [*self._progress.open()]:
            if change.existing is None or change.action not in DELETING:
                raise AssertionError("all other changes are made, or have failed")
            if missing and change.is_extra:
                # It may be the same destination with another title.
                self._progress.leave(number, _NOT_CREATED)
            else:
                todo.append((number, change.existing))
        await for_each(todo, self._delete_one, most=self._executor.limiter.ceiling)
        await self._creations.note_deleted(self._deleted)

    async def _delete_one(self, numbered: tuple[int, Restream]) -> None:
        number, shown = numbered
        api, progress = self._options.api, self._progress
        deadline = self._executor.begin_patient_call(self._reader.stop)
        try:
            result = await delete(self._executor, api, shown.id, deadline)
        except RestreamError as error:
            # Its frames would keep this object alive.
            progress.fail(number, error.with_traceback(None))
            return
        except BaseException:
            if deadline.in_doubt:
                progress.interrupted.add(number)
            raise
        if isinstance(result, Failure) and not isinstance(result.error, NotFoundError):
            progress.fail(number, result.error)
            self._reader.on_failure(result.error)
        elif result is False:
            call = api.delete(shown.id).call
            progress.fail(number, MalformedResponseError(call, problem=_REFUSED, attempts=1))
        else:
            progress.close(number)
            self._deleted.append(shown)
