"""Private: what a journal knows of a creation, and whose creations it holds."""

import enum
from typing import Final

import attrs


class State(enum.Enum):
    """How far a creation has come."""

    INTENDED = "intended"
    """A request may have been sent; no end is noted."""
    CREATED = "created"
    """This journal's runs created it: the service answered the POST, or it was found after doubt
    and an earlier check had shown that it did not exist."""
    RECHECKED = "rechecked"
    """It was created, and a later run began to check whether it still exists. That run may have
    created it again; no end is noted."""
    FOUND = "found"
    """It exists, and may have existed before."""
    FAILED = "failed"
    """It was not created."""
    UNDONE = "undone"
    """It was created, and deleted again."""


DONE: Final = frozenset({State.CREATED, State.FOUND})
"""The states of restreams that exist, as far as the journal knows."""

BEGUN: Final = frozenset({State.INTENDED, State.RECHECKED})
"""The states of creations that began and have no end."""


@attrs.frozen(kw_only=True)
class Entry:
    """What the journal knows of a creation that is about to begin.

    Attributes:
        state: how far it has come, or None if it is new.
        this_run: whether this run began it before.
        restream_id: the id that the service gave it, if it is known.
        title: the title that the service had, if it is known.
        status: the status that it had, if it is known.
        occurrence: which of several equal creations it is, from 0.
        absent_before: None, unless it was created after doubt and is not checked again yet. Then:
            whether a check had shown that it did not exist before.
        others: ids of the equal restreams before it.

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
        api_key: the key of the fingerprints; it is not stored.

    """

    base_url: str
    project_id: str
    api_key: str = attrs.field(repr=False)
