"""What a run has done, in SQLite, so that it can be resumed after any end, `kill -9` included.

An intent is durable before its request leaves. Whoever finds an intent without an end later knows
that the restream may be there, and looks. Nothing secret is at rest: a creation is known by a
fingerprint, keyed with the API key and a salt of the journal's own.

All database work is done by one thread. What has gathered while it was committing goes into the
next commit, so the cost of making things durable is shared by all creations in flight. No task
writes, so none can be cancelled.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar

from restream_async._journal.database import Database
from restream_async._journal.entries import Batch, Entry, Identity, State
from restream_async._util.tasks import run_to_completion
from restream_async.errors import JournalError

_T = TypeVar("_T")
_Replies: TypeAlias = list[tuple[asyncio.Future[Any], Any]]

_LINGER: Final = 0.05
"""Seconds that ends, which nobody waits for, may wait for company on their way to the disk."""


class Journal:
    """A journal that is open. Only one at a time can be open on the same file.

    Every method raises `JournalError` where the file cannot be written or read any more.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Identity) -> None:
        """Prepare; nothing is opened before the block is entered."""
        self._path = Path(path)
        self._identity = identity
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="restream-journal")
        self._batch = Batch()
        # Whether the thread writes, or is about to; and what makes it begin.
        self._writing = False
        self._alarm: asyncio.Handle | None = None
        self._store: Database | None = None
        self._broken: JournalError | None = None

    async def __aenter__(self) -> Self:
        """Open the file, or create it.

        Raises:
            JournalError: it cannot be opened, is in use, is damaged, or belongs to another
                project or service; says what to do.

        """
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left, and close the file."""
        await self._close()

    def fingerprint(self, *key: str) -> str:
        """Return what a creation is known by; it does not give the key away."""
        return self._opened().fingerprint(key)

    async def begin(
        self, *fingerprints: str, repeat: bool = False, recheck: bool = False
    ) -> list[Entry]:
        """Note that creations are about to begin, and return what was known of each before.

        When this returns, the intents are durable. A creation that is done already keeps its state,
        unless it is to be checked again.

        Args:
            fingerprints: which creations.
            repeat: whether another one like those of this run is a new one.
            recheck: whether one that an earlier run has done may be created again.

        """
        reply: asyncio.Future[list[Entry]] = self._reply()
        self._batch.begins.append((fingerprints, repeat, recheck, reply))
        return await reply

    def end(  # noqa: PLR0913 - one keyword for each fact
        self,
        fingerprint: str,
        occurrence: int,
        state: State,
        *,
        restream_id: int | str | None = None,
        absent_before: bool | None = None,
        title: str | None = None,
        status: bool | None = None,
    ) -> None:
        """Note how a creation ended, and what the service has of it.

        It need not be waited for: an intent without an end is looked for. A journal that cannot
        be written says so to the next one who begins.
        """
        self._schedule_soon()
        self._batch.ends.append(
            (fingerprint, occurrence, state, restream_id, absent_before, title, status)
        )

    def clear_doubt(self, fingerprint: str, occurrence: int) -> None:
        """Note that a creation after doubt was looked for again."""
        self._schedule_soon()
        self._batch.cleared.append((fingerprint, occurrence))

    def meta(self, name: str) -> str | None:
        """Return a text that an earlier run, or this one, has set for the journal as a whole."""
        value: str | None = self._opened().meta.get(name)
        return value

    async def set_meta(self, name: str, value: str) -> None:
        """Set a text for the journal as a whole; durable when this returns."""
        await self._ask(lambda store: store.set_meta(name, value))

    async def flush(self) -> None:
        """Return when all that was noted is durable."""
        await self._ask(lambda _: None)

    async def count(self, state: State) -> int:
        """Return how many creations are in a state."""
        return await self._ask(lambda store: store.count(state))

    async def page(
        self, state: State, after: tuple[str, int] = ("", -1)
    ) -> list[tuple[str, int, int | str]]:
        """Return fingerprint, occurrence and restream id of the next creations in a state.

        Args:
            state: only those.
            after: fingerprint and occurrence of the last one that is known.

        """
        return await self._ask(lambda store: store.page(state, after))

    def _open(self) -> None:
        self._store = Database.open(self._path, self._identity)

    async def _close(self) -> None:
        store, self._store = self._store, None
        self._unset_alarm()
        try:
            if store is not None:
                if self._batch:
                    self._write(store)
                await self._in_thread(store.close)
        finally:
            self._thread.shutdown(wait=False)

    def _opened(self) -> Database:
        if self._store is None:
            raise RuntimeError("the journal is not open")
        return self._store

    def _ask(self, question: Callable[[Database], _T]) -> asyncio.Future[_T]:
        reply: asyncio.Future[_T] = self._reply()
        self._batch.questions.append((question, reply))
        return reply

    def _reply(self) -> asyncio.Future[Any]:
        self._schedule(self._opened())
        return asyncio.get_running_loop().create_future()

    def _schedule(self, store: Database) -> None:
        if not self._writing:
            self._writing = True
            self._unset_alarm()
            # After what else happens in this turn of the loop: it goes into the same commit.
            self._alarm = asyncio.get_running_loop().call_soon(self._write, store)

    def _schedule_soon(self) -> None:
        if not self._writing and self._alarm is None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(_LINGER, self._schedule, self._opened())

    def _unset_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _write(self, store: Database) -> None:
        self._alarm = None
        batch, self._batch = self._batch, Batch()
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(self._thread, self._commit, store, batch)
        written.add_done_callback(lambda written: self._written(store, batch, written))

    def _commit(self, store: Database, batch: Batch) -> _Replies:
        """Write a batch, in the thread."""
        # What broke once does not heal by itself: no intent is trusted to it any more.
        if self._broken is not None:
            raise self._broken
        try:
            return store.commit(batch)
        except JournalError as error:
            self._broken = error
            raise

    def _written(self, store: Database, batch: Batch, written: asyncio.Future[_Replies]) -> None:
        broken = written.exception()
        for reply in batch.replies if broken is not None else ():
            if not reply.done() and broken is not None:
                reply.set_exception(broken)
        for reply, value in written.result() if broken is None else ():
            if not reply.done():
                reply.set_result(value)
        self._writing = False
        if self._store is None:
            return
        if self._batch.awaited:
            self._writing = True
            self._write(store)
        elif self._batch:
            self._schedule_soon()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await run_to_completion(lambda: loop.run_in_executor(self._thread, work))
