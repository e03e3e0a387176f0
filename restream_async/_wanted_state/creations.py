"""Private: creates the missing restreams of one video, and notes it in the journal.

The list of the video says what exists, not the journal. The journal protects the creations against
a kill, and remembers what was created, for `undo`.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import attrs

from restream_async._bulk.interrupted import interrupted_creation
from restream_async._bulk.journal_adapter import JournalAdapter, JournalSlot
from restream_async._journal.entries import BEGUN, Entry, State
from restream_async._operations.create_options import CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async._operations.existence import Key, key_of
from restream_async._util.parallel import for_each
from restream_async._wanted_state.current_state import VideoReader
from restream_async._wanted_state.wanted_videos import WantedVideo
from restream_async.models import NewRestream, Origin, Restream


class Creations:
    """The creations of one video.

    Attributes:
        results: how those ended that have ended.
        in_doubt: whether a copy may turn up late.

    """

    def __init__(
        self, video: WantedVideo, reader: VideoReader, journal: JournalAdapter | None
    ) -> None:
        """Begin nothing yet."""
        self._video = video
        self._reader = reader
        self._api = reader.creator.api
        self._journal = journal
        # What the journal knows from earlier runs, and the slots of what is not ended.
        self._entries: dict[Key, Entry] = {}
        self._slots: dict[Key, JournalSlot] = {}
        self._doubtful: list[JournalSlot] = []
        self._listed: AbstractSet[int | str] = frozenset()
        self._ended: AbstractSet[Key] = frozenset()
        self.results: dict[Key, CreateSucceeded | CreateFailed] = {}
        self.in_doubt = False

    async def read_journal(self) -> None:
        """Read what earlier runs have noted; must come before the list of the video.

        Raises:
            JournalError: the journal cannot be read.

        """
        if self._journal is None:
            return
        wanted, journal = self._video.wanted, self._journal.journal
        fingerprints = (journal.fingerprint(*key_of(new)) for new in wanted)
        for new, entry in zip(wanted, await journal.known(*fingerprints), strict=True):
            self._entries[key_of(new)] = entry
            if entry.restream_id is not None:
                # A service that shows keys in another form shows it by this id.
                self._reader.creator.existence.remember_id(new, entry.restream_id)

    @property
    def created(self) -> dict[Key, Restream]:
        """The restreams that were created, or found instead."""
        results = self.results.items()
        return {key: end.restream for key, end in results if isinstance(end, CreateSucceeded)}

    async def note_existing(self, existing: Mapping[Key, Restream]) -> None:
        """End the intents of killed runs whose restreams turn out to exist.

        Raises:
            JournalError: the journal cannot be written.

        """
        begun = [
            new
            for new in self._video.wanted
            if key_of(new) in existing and self._has_begun(key_of(new))
        ]
        if self._journal is None or not begun:
            return
        for slot, new in zip(await self._journal.note_intents(begun), begun, strict=True):
            slot.note_end(new, CreateSucceeded(existing[key_of(new)], 0, Origin.EXISTING))

    async def create(
        self,
        missing: Sequence[NewRestream],
        listed: AbstractSet[int | str],
        ended: AbstractSet[Key] = frozenset(),
    ) -> None:
        """Create restreams that a list has just shown to be missing.

        Args:
            missing: the restreams.
            listed: the ids that the list has shown.
            ended: creations that have ended since the list; it grows. They are checked first.

        Raises:
            JournalError: the intents could not be made durable, so nothing was sent.

        """
        if self._journal is not None and missing:
            slots = await self._journal.note_intents(missing)
            self._slots = dict(zip(map(key_of, missing), slots, strict=True))
        self._listed, self._ended = listed, ended
        await for_each(missing, self._create, most=self._reader.executor.limiter.ceiling)

    async def note_deleted(self, deleted: Sequence[Restream]) -> None:
        """Note that restreams were deleted that runs of the journal had created or found.

        Raises:
            JournalError: the journal cannot be read.

        """
        if self._journal is None or not deleted:
            return
        journal, video_id = self._journal.journal, self._video.video_id
        keys = (key_of(attrs.evolve(restream, video_id=video_id)) for restream in deleted)
        fingerprints = [journal.fingerprint(*key) for key in keys]
        entries = await journal.known(*fingerprints)
        for fingerprint, entry, restream in zip(fingerprints, entries, deleted, strict=True):
            if entry.restream_id == restream.id:
                journal.end(fingerprint, entry.occurrence, State.UNDONE, restream_id=restream.id)

    def note_checked(self) -> None:
        """Note that a list has shown no copies of what was created after doubt."""
        for slot in self._doubtful:
            slot.note_checked()

    def finish(self) -> None:
        """Note the end of what was not begun."""
        for new in self._video.wanted:
            if key_of(new) in self._slots:
                self._end(new, interrupted_creation(self._api.create(new).call, in_doubt=False))

    async def _create(self, new: NewRestream) -> None:
        executor = self._reader.executor
        deadline = executor.begin_patient_call(self._reader.stop)
        options = CreateOptions(listed=self._listed, check_first=key_of(new) in self._ended)
        try:
            result = await self._reader.creator.create(new, deadline, options)
        except BaseException:
            # Mostly a cancellation.
            call = self._api.create(new).call
            self._end(new, interrupted_creation(call, in_doubt=deadline.in_doubt))
            raise
        self._end(new, result)
        if isinstance(result, CreateSucceeded):
            self._reader.on_success()
        else:
            self._reader.on_failure(result.error)

    def _end(self, new: NewRestream, result: CreateSucceeded | CreateFailed) -> None:
        key = key_of(new)
        begun = self._has_begun(key)
        self.in_doubt = self.in_doubt or begun or result.doubt is not None
        if isinstance(result, CreateSucceeded) and result.doubt is not None and not begun:
            # The list of the video has shown that it did not exist.
            result.doubt = attrs.evolve(result.doubt, absent_before=True)
        self.results[key] = result
        if (slot := self._slots.pop(key, None)) is not None:
            slot.note_end(new, result)
            if isinstance(result, CreateSucceeded) and result.doubt is not None:
                self._doubtful.append(slot)

    def _has_begun(self, key: Key) -> bool:
        """Return whether an earlier run began to create a restream, and noted no end."""
        entry = self._entries.get(key)
        return entry is not None and entry.state in BEGUN
