"""What a journal says: how far a creation has come, and what is written in one commit."""

import asyncio
import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from restream_async._journal.database import Database


class State(enum.Enum):
    """How far a creation has come."""

    INTENDED = "intended"
    """A request may have been sent; nobody noted how it ended."""
    CREATED = "created"
    """This journal's runs created it: the service answered the POST, or it was found after doubt
    where an earlier look had shown that it was not there."""
    RECHECKED = "rechecked"
    """It was created, and a later run has begun to look whether it is still there. That one may
    have found it gone and created it again; nobody noted how that ended."""
    FOUND = "found"
    """It was found, and may have been there before."""
    FAILED = "failed"
    """It was not created."""
    UNDONE = "undone"
    """It was created, and deleted again."""


DONE: Final = frozenset({State.CREATED, State.FOUND})
"""The states of what exists, as far as the journal knows."""

BEGUN: Final = frozenset({State.INTENDED, State.RECHECKED})
"""The states of what began and has no end yet."""


@attrs.frozen(kw_only=True)
class Entry:
    """What the journal knows of a creation that is about to begin.

    Attributes:
        state: how far it has come, or None if it is new.
        this_run: whether it was met earlier in this run.
        restream_id: the id that the service gave it, if it is known.
        title: the title that the service had then, if it is known.
        status: the status that it had then.
        occurrence: which of several equal creations it is, from 0.
        absent_before: None, unless it was created after doubt and not yet looked for again; then
            whether a look had shown that it was not there before.
        others: ids of the equal ones before it.

    """

    state: State | None
    this_run: bool
    restream_id: int | str | None
    occurrence: int
    title: str | None = None
    status: bool | None = None
    absent_before: bool | None = None
    others: tuple[int | str, ...] = ()


@attrs.frozen(kw_only=True)
class Identity:
    """Whose creations a journal holds.

    Attributes:
        base_url: the service.
        project_id: the project.
        api_key: keys the fingerprints; it is not stored.

    """

    base_url: str
    project_id: str
    api_key: str = attrs.field(repr=False)


End: TypeAlias = tuple[str, int, State, int | str | None, bool | None, str | None, bool | None]
Begin: TypeAlias = tuple[Sequence[str], bool, bool, asyncio.Future[list[Entry]]]
Question: TypeAlias = tuple[Callable[["Database"], Any], asyncio.Future[Any]]


@attrs.define
class Batch:
    """What is written in one commit: first the ends, then the beginnings, then the questions.

    The futures that come with them are only carried along.
    """

    ends: list[End] = attrs.field(factory=list[End])
    cleared: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    begins: list[Begin] = attrs.field(factory=list[Begin])
    questions: list[Question] = attrs.field(factory=list[Question])

    def __bool__(self) -> bool:
        """Say whether there is anything to write."""
        return bool(self.ends or self.cleared or self.awaited)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self.begins or self.questions)

    @property
    def replies(self) -> list[asyncio.Future[Any]]:
        """All who wait for an answer."""
        return [reply for *_, reply in self.begins] + [reply for _, reply in self.questions]
