"""Private: connects a bulk run with its journal.

The journal says how the creation of an item begins, and the run notes how it ended.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from restream_async._bulk.repeats import Repeats
from restream_async._journal.entries import BEGUN, DONE, Entry, State
from restream_async._journal.journal import Journal
from restream_async._operations.create_options import PLAIN_WITH_SLOT, CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded, Doubt
from restream_async._operations.existence import key_of
from restream_async._util.redaction import redact
from restream_async.models import Created, NewRestream, Origin, Restream

# States of restreams that an earlier run created.
_OURS: Final = frozenset({State.CREATED, State.RECHECKED})


class JournalAdapter:
    """Notes the intents of a run's items."""

    def __init__(self, journal: Journal, repeats: Repeats, *, ensure: bool) -> None:
        """Use `journal`.

        Args:
            journal: it is open before the first call.
            repeats: whether an equal restream in the input is another one to create.
            ensure: whether every restream is checked for at the service, even if the journal says
                that it exists.

        """
        self.journal = journal
        self.ensure = ensure
        self.allow_equal = repeats == "create"
        # How many items of each fingerprint are in progress, and the fingerprints that several
        # items shared at the same time.
        self._in_progress: dict[str, int] = {}
        self._shared: set[str] = set()

    async def note_intents(self, requests: Sequence[NewRestream]) -> list["JournalSlot"]:
        """Make intents durable, and return what was known of each restream before.

        Raises:
            JournalError: they could not be made durable, so nothing may be sent.

        """
        fingerprints = [self.journal.fingerprint(*key_of(new)) for new in requests]
        for fingerprint in fingerprints:
            others = self._in_progress.get(fingerprint, 0)
            if others and not self.allow_equal:
                self._shared.add(fingerprint)
            self._in_progress[fingerprint] = others + 1
        try:
            entries = await self.journal.begin(
                *fingerprints, repeat=self.allow_equal, recheck=self.ensure
            )
        except BaseException:
            for fingerprint in fingerprints:
                self.release(fingerprint)
            raise
        known = zip(fingerprints, entries, strict=True)
        return [JournalSlot(self, fingerprint, entry) for fingerprint, entry in known]

    def release(self, fingerprint: str) -> bool:
        """Note that an item is not in progress any more; return whether it shared its slot."""
        shared = fingerprint in self._shared
        others = self._in_progress.pop(fingerprint) - 1
        if others:
            self._in_progress[fingerprint] = others
        else:
            self._shared.discard(fingerprint)
        return shared


@attrs.define
class JournalSlot:
    """The slot of one item in the journal.

    Attributes:
        fingerprint: identifies the restream.
        entry: what was known of it before this run began to create it.

    """

    _adapter: JournalAdapter
    fingerprint: str
    entry: Entry

    @property
    def doubt(self) -> Doubt | None:
        """What an earlier run left uncertain about a restream that exists."""
        absent_before = self.entry.absent_before
        # A doubt of this run belongs to the item that had it.
        if absent_before is None or self.entry.this_run:
            return None
        return Doubt(absent_before=absent_before, others=frozenset(self.entry.others))

    @property
    def options(self) -> CreateOptions:
        """How the creation of the item begins that has its slot in the limiter."""
        entry, adapter = self.entry, self._adapter
        begun = entry.state in BEGUN
        if not (begun or adapter.ensure or adapter.allow_equal or entry.others):
            return PLAIN_WITH_SLOT
        return CreateOptions(
            has_slot=True,
            check_first=adapter.ensure or (begun and entry.this_run),
            in_doubt=begun and not entry.this_run,
            allow_equal=adapter.allow_equal,
            others=frozenset(entry.others),
            known_id=entry.restream_id,
        )

    def known_outcome(self, index: int, new: NewRestream) -> Created | None:
        """Return the outcome of an item that needs no request, or None."""
        entry = self.entry
        if entry.restream_id is None or entry.state not in DONE:
            return None
        if self._adapter.ensure and not entry.this_run:
            return None
        self._adapter.release(self.fingerprint)
        restream = Restream(
            id=entry.restream_id,
            title=new.title if entry.title is None else entry.title,
            stream_key=new.stream_key,
            stream_url=new.stream_url,
            status=new.status if entry.status is None else entry.status,
            video_id=new.video_id,
        )
        return Created(
            index=index,
            request=new,
            restream=restream,
            attempts=0,
            origin=Origin.EXISTING if entry.this_run else Origin.JOURNAL,
        )

    def note_end(self, new: NewRestream, result: CreateSucceeded | CreateFailed) -> None:
        """Note how the item ended."""
        shared = self._adapter.release(self.fingerprint)
        if isinstance(result, CreateSucceeded):
            self._note_success(new, result)
        elif not (result.doubt is not None or shared or self.entry.state in BEGUN):
            self._note_failure(result)
        # Else the intent stays, and a later run checks first: the restream may exist, or another
        # item with the same slot has noted it.

    def note_checked(self) -> None:
        """Note that the reconciliation has checked a restream that was created after doubt."""
        self._adapter.journal.clear_doubt(self.fingerprint, self.entry.occurrence)

    def _note_success(self, new: NewRestream, result: CreateSucceeded) -> None:
        entry, restream = self.entry, result.restream
        if result.origin is Origin.EXISTING and entry.this_run:
            # Another item of this run created it, and has noted so.
            return
        absent_before = result.doubt.absent_before if result.doubt is not None else None
        ours = (
            result.origin is Origin.POSTED
            or (result.origin is Origin.CONFIRMED and absent_before is True)
            or (entry.state in _OURS and entry.restream_id == restream.id)
        )
        self._adapter.journal.end(
            self.fingerprint,
            entry.occurrence,
            State.CREATED if ours else State.FOUND,
            restream_id=restream.id,
            absent_before=absent_before,
            title=_without_secrets(restream.title, new.secrets),
            status=restream.status,
        )

    def _note_failure(self, result: CreateFailed) -> None:
        entry, journal = self.entry, self._adapter.journal
        if entry.state in DONE and not result.attempts:
            # It existed and could not be checked, so its entry stays as it was.
            journal.end(
                self.fingerprint,
                entry.occurrence,
                entry.state,
                restream_id=entry.restream_id,
                absent_before=entry.absent_before,
                title=entry.title,
                status=entry.status,
            )
        else:
            journal.end(self.fingerprint, entry.occurrence, State.FAILED)


def _without_secrets(title: str, secrets: Sequence[str]) -> str:
    # Searching for all spellings takes long, and hardly any title has a secret.
    hidden = any(secret and secret in title for secret in secrets)
    return redact(title, secrets) if hidden else title
