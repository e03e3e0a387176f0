"""The difference between the wanted restreams and those at the service: `Change` and `Action`."""

import enum
from typing import Literal

import attrs

from restream_async.errors import RestreamError
from restream_async.models import NewRestream, Restream


class Action(enum.Enum):
    """What brings one restream to its wanted state."""

    CREATE = "create"
    """It is wanted and does not exist."""
    ENABLE = "enable"
    """It exists, is inactive, and is wanted active."""
    DISABLE = "disable"
    """It exists, is active, and is wanted inactive."""
    ROTATE = "rotate"
    """The service has the same destination (video, stream URL and title) with another stream key.
    The wanted one is created and verified, and then the old one is deleted."""
    DELETE = "delete"
    """It exists and is not wanted, or it is a second copy of a wanted one."""
    KEEP = "keep"
    """There is nothing to do."""


@attrs.frozen(kw_only=True)
class Change:
    """One restream that is wanted or exists, and what is to be done about it.

    `RestreamClient.plan` says what is to be done. From `RestreamClient.apply`, the change was made
    unless it has an `error` or `needs` an option.

    Attributes:
        action: what is to be done.
        video_id: public identifier of the live video.
        title: the name of the destination: the wanted one, or that of an extra restream.
        wanted: the wanted restream; None if the existing one is extra.
        existing: what the service has; None if there is none. For `Action.ROTATE`, the restream
            with the old key. From `apply`, what the service has after the change: the restream that
            was created, or its new status. A restream that was deleted stays named here.
        error: why the change was not made; with `Action.KEEP`, why the video could not be read, so
            that nothing is known about the restream. After `OutcomeUnknownError` it may have been
            made.
        needs: the option without which the change is not made: "rotate" or "prune", or empty.
        is_duplicate: whether `existing` is a second copy of `wanted`.
        is_unclear: whether the service shows the stream key or the stream URL of `existing`
            masked, so that nothing can tell for certain whether it is the wanted one. Such a
            restream is neither rotated nor deleted. Its status is set only if the title agrees.

    """

    action: Action
    # The restreams show them, without their secrets.
    video_id: str = attrs.field(repr=False)
    title: str = attrs.field(repr=False)
    wanted: NewRestream | None = None
    existing: Restream | None = None
    error: RestreamError | None = None
    needs: Literal["", "rotate", "prune"] = ""
    is_duplicate: bool = False
    is_unclear: bool = False

    @property
    def is_extra(self) -> bool:
        """Whether the restream exists and is not wanted."""
        return self.wanted is None and self.existing is not None

    @property
    def is_in_sync(self) -> bool:
        """Whether the wanted state is reached without this change.

        An extra restream or a duplicate counts as out of sync only if it is to be deleted.
        """
        if self.error is not None:
            return False
        return self.action is Action.KEEP or self.needs == "prune"

    @property
    def differences(self) -> tuple[str, ...]:
        """The fields (`title`, `status`) whose value at the service differs from the wanted one.

        The service has no call that changes a title.
        """
        asked, has = self.wanted, self.existing
        if asked is None or has is None:
            return ()
        return tuple(
            name for name in ("title", "status") if getattr(asked, name) != getattr(has, name)
        )
