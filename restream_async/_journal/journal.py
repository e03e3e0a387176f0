"""Private: the journal of bulk runs, which can be resumed after any end, `kill -9` included.

An intent is durable before its request leaves. If a later run finds an intent without an end, the
restream may exist, so the run checks. The file holds no secret: a creation is identified by a
fingerprint, keyed with the API key and a salt of the journal.

One thread does all work on the database (`database`). What gathers during a commit goes into the
next one, so all creations in flight share the cost of making things durable. No task writes, so no
cancellation interrupts a write.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from restream_async._journal.database import Batch, Database, Replies
from restream_async._journal.entries import Entry, Identity, State
from restream_async._util.tasks import run_to_completion
from restream_async.errors import JournalError

_T = TypeVar("_T")

_LINGER: Final = 0.05
"""Seconds that ends may wait for others before they are written. No caller waits for them."""


class Journal:
    """An async context manager; the journal is open inside the block.

    A file can be open only once at a time. Every method raises `JournalError` if the file cannot be
    written or read any more.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Identity) -> None:
        """Prepare; nothing is opened before the block is entered."""
        self._path = Path(path)
        self._identity = identity
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="restream-journal")
        self._batch = Batch()
        # Whether a commit is in progress or about to begin, and the handle of its beginning.
        self._writing = False
        self._scheduled: asyncio.Handle | None = None
        self._database: Database | None = None
        self._broken: JournalError | None = None

    async def __aenter__(self) -> Self:
        """Open the file, or create it.

        Raises:
            JournalError: it cannot be opened, is in use, is damaged, or belongs to another
                project or service; the message says what to do.

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
        """Return the fingerprint of a creation, from which its key cannot be found."""
        return self._opened().owner.fingerprint(key)

    async def begin(
        self, *fingerprints: str, repeat: bool = False, recheck: bool = False
    ) -> list[Entry]:
        """Note that creations are about to begin, and return what was known of each before.

        When this returns, the intents are durable. A creation whose restream exists keeps its state
        unless `recheck` is set.

        Args:
            fingerprints: the creations.
            repeat: whether a creation that this run has begun before is another one.
            recheck: whether restreams that earlier runs created or found are checked again.

        """
        future: asyncio.Future[list[Entry]] = self._future()
        self._batch.begins.append((fingerprints, repeat, recheck, future))
        return await future

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

        It is written soon. If it is lost, the next run finds an intent without an end, and checks.
        If it cannot be written, the next `begin` or `flush` raises the error.
        """
        self._schedule_soon()
        self._batch.ends.append(
            (fingerprint, occurrence, state, restream_id, absent_before, title, status)
        )

    def clear_doubt(self, fingerprint: str, occurrence: int) -> None:
        """Note that a creation after doubt was checked again."""
        self._schedule_soon()
        self._batch.cleared.append((fingerprint, occurrence))

    def meta(self, name: str) -> str | None:
        """Return a text that a run has set for the journal as a whole."""
        value: str | None = self._opened().owner.meta.get(name)
        return value

    async def set_meta(self, name: str, value: str) -> None:
        """Set a text for the journal as a whole; durable when this returns."""
        await self._ask(lambda database: database.owner.set_meta(name, value))

    async def flush(self) -> None:
        """Return when all that was noted is durable."""
        await self._ask(lambda _: None)

    async def count(self, state: State) -> int:
        """Return how many creations are in a state."""
        return await self._ask(lambda database: database.count(state))

    async def known(self, *fingerprints: str) -> list[Entry]:
        """Return what is known of each creation, and note nothing."""
        return await self._ask(lambda database: database.known(fingerprints))

    async def page(self, state: State, after: tuple[str, int]) -> list[tuple[str, int, int | str]]:
        """Return fingerprint, occurrence and restream id of the next creations in a state.

        Args:
            state: the state.
            after: fingerprint and occurrence of the last creation of the page before; ("", -1) for
                the first page.

        """
        return await self._ask(lambda database: database.page(state, after))

    def _open(self) -> None:
        self._database = Database.open(self._path, self._identity)

    async def _close(self) -> None:
        database, self._database = self._database, None
        self._unschedule()
        try:
            if database is not None:
                if self._batch:
                    self._write(database)
                await self._in_thread(database.close)
        finally:
            self._thread.shutdown(wait=False)

    def _opened(self) -> Database:
        if self._database is None:
            raise RuntimeError("the journal is not open")
        return self._database

    def _ask(self, question: Callable[[Database], _T]) -> asyncio.Future[_T]:
        future: asyncio.Future[_T] = self._future()
        self._batch.questions.append((question, future))
        return future

    def _future(self) -> asyncio.Future[Any]:
        self._schedule(self._opened())
        return asyncio.get_running_loop().create_future()

    def _schedule(self, database: Database) -> None:
        if not self._writing:
            self._writing = True
            self._unschedule()
            # What else happens in this turn of the loop goes into the same commit.
            self._scheduled = asyncio.get_running_loop().call_soon(self._write, database)

    def _schedule_soon(self) -> None:
        if not self._writing and self._scheduled is None:
            loop = asyncio.get_running_loop()
            self._scheduled = loop.call_later(_LINGER, self._schedule, self._opened())

    def _unschedule(self) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()

    def _write(self, database: Database) -> None:
        self._scheduled = None
        batch, self._batch = self._batch, Batch()
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(self._thread, self._commit, database, batch)
        written.add_done_callback(lambda written: self._written(database, batch, written))

    def _commit(self, database: Database, batch: Batch) -> Replies:
        """Write a batch, in the thread."""
        # After one failure, no intent is trusted to the file any more.
        if self._broken is not None:
            raise self._broken
        try:
            return database.commit(batch)
        except JournalError as error:
            self._broken = error
            raise

    def _written(self, database: Database, batch: Batch, written: asyncio.Future[Replies]) -> None:
        broken = written.exception()
        for future in batch.futures if broken is not None else ():
            if not future.done() and broken is not None:
                future.set_exception(broken)
        for future, value in written.result() if broken is None else ():
            if not future.done():
                future.set_result(value)
        self._writing = False
        if self._database is None:
            return
        if self._batch.awaited:
            self._writing = True
            self._write(database)
        elif self._batch:
            self._schedule_soon()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await run_to_completion(lambda: loop.run_in_executor(self._thread, work))
