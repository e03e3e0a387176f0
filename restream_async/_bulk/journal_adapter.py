"""How a run and its journal speak: what to do about an item, and what to note of its end."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs

from restream_async._journal.entries import BEGUN, DONE, Entry, State
from restream_async._journal.journal import Journal
from restream_async._operations.create_options import PLAIN_WITH_SLOT, CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded, Doubt
from restream_async._operations.existence import key_of
from restream_async._util.redaction import redact
from restream_async.models import Created, NewRestream, Origin, Restream

Repeats: TypeAlias = Literal["existing", "create"]

# States of what an earlier run created.
_OURS: Final = frozenset({State.CREATED, State.RECHECKED})


@attrs.define
class JournalSlot:
    """The place of one item in the journal.

    Attributes:
        fingerprint: which creation.
        entry: what was known of it.

    """

    fingerprint: str
    entry: Entry

    @property
    def doubt(self) -> Doubt | None:
        """What an earlier run left uncertain of a creation that is done."""
        absent_before = self.entry.absent_before
        # What this run left uncertain, the item that did so looks after.
        if absent_before is None or self.entry.this_run:
            return None
        return Doubt(absent_before=absent_before, others=frozenset(self.entry.others))


class JournalAdapter:
    """Asks the journal before an item begins, and tells it how the item ended."""

    def __init__(self, journal: Journal, repeats: Repeats, *, ensure: bool = False) -> None:
        """Keep `journal`.

        Args:
            journal: it is open by the time of the first call.
            repeats: whether the same restream again is a new one.
            ensure: whether every restream is checked for at the service, also one that the
                journal calls done.

        """
        self._journal = journal
        self._ensure = ensure
        self._another = repeats == "create"
        self._under_way: dict[str, int] = {}
        self._shared: set[str] = set()

    async def begin(self, requests: Sequence[NewRestream]) -> list[JournalSlot]:
        """Make intents durable, and return what was known of each before.

        Raises:
            JournalError: they could not be made durable: nothing may be sent.

        """
        fingerprints = [self._journal.fingerprint(*key_of(new)) for new in requests]
        for fingerprint in fingerprints:
            self._arrive(fingerprint)
        try:
            entries = await self._journal.begin(
                *fingerprints, repeat=self._another, recheck=self._ensure
            )
        except BaseException:
            for fingerprint in fingerprints:
                self._leave(fingerprint)
            raise
        return [JournalSlot(*known) for known in zip(fingerprints, entries, strict=True)]

    def done(self, index: int, new: NewRestream, page: JournalSlot) -> Created | None:
        """Return the outcome of an item that needs no request, or None."""
        entry = page.entry
        if entry.restream_id is None or entry.state not in DONE:
            return None
        if self._ensure and not entry.this_run:
            return None
        self._leave(page.fingerprint)
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

    def options(self, page: JournalSlot) -> CreateOptions:
        """Return how the creation of an item with this past begins."""
        begun, ensure = page.entry.state in BEGUN, self._ensure
        if not (begun or ensure or self._another or page.entry.others):
            return PLAIN_WITH_SLOT
        return CreateOptions(
            has_slot=True,
            check_first=ensure or (begun and page.entry.this_run),
            in_doubt=begun and not page.entry.this_run,
            allow_equal=self._another,
            others=frozenset(page.entry.others),
            known_id=page.entry.restream_id,
        )

    def end(self, page: JournalSlot, new: NewRestream, end: CreateSucceeded | CreateFailed) -> None:
        """Note how an item ended.

        What failed after doubt stays an intent, so that a later run looks for it first. So does
        what failed beside an equal item, whose intent or end stands in the same place.
        """
        entry = page.entry
        alone = page.fingerprint not in self._shared
        self._leave(page.fingerprint)
        absent_before = end.doubt.absent_before if end.doubt is not None else None
        if isinstance(end, CreateFailed):
            if end.doubt is not None or not alone or entry.state in BEGUN:
                return
            # One that was done and could not be checked is as it was.
            if entry.state is not None and entry.state in DONE and not end.attempts:
                self._journal.end(
                    page.fingerprint,
                    entry.occurrence,
                    entry.state,
                    restream_id=entry.restream_id,
                    absent_before=entry.absent_before,
                    title=entry.title,
                    status=entry.status,
                )
            else:
                self._journal.end(page.fingerprint, entry.occurrence, State.FAILED)
            return
        if end.origin is Origin.EXISTING and entry.this_run:
            # Another item of this run created it, and has noted so.
            return
        restream = end.restream
        ours = (
            end.origin is Origin.POSTED
            or (end.origin is Origin.CONFIRMED and absent_before is True)
            or (entry.state in _OURS and entry.restream_id == restream.id)
        )
        self._journal.end(
            page.fingerprint,
            entry.occurrence,
            State.CREATED if ours else State.FOUND,
            restream_id=restream.id,
            absent_before=absent_before,
            title=_without_secrets(restream.title, new.secrets),
            status=restream.status,
        )

    def checked(self, page: JournalSlot) -> None:
        """Note that an item in doubt was looked for again at the end of the run."""
        self._journal.clear_doubt(page.fingerprint, page.entry.occurrence)

    def _arrive(self, fingerprint: str) -> None:
        others = self._under_way.get(fingerprint, 0)
        if others and not self._another:
            self._shared.add(fingerprint)
        self._under_way[fingerprint] = others + 1

    def _leave(self, fingerprint: str) -> None:
        others = self._under_way.pop(fingerprint) - 1
        if others:
            self._under_way[fingerprint] = others
        else:
            self._shared.discard(fingerprint)


def _without_secrets(title: str, secrets: Sequence[str]) -> str:
    # Nearly no title has one, and to search for all their spellings takes long.
    hidden = any(secret and secret in title for secret in secrets)
    return redact(title, secrets) if hidden else title
