"""Private: how a creation ended."""

from collections.abc import Set as AbstractSet

import attrs

from restream_async.errors import RestreamError
from restream_async.models import Failed, NewRestream, Origin, Outcome, Restream, make_created


@attrs.frozen(kw_only=True)
class Doubt:
    """What was uncertain during a creation.

    Attributes:
        absent_before: whether an existence check before the last POST showed that the restream did
            not exist. A copy that turns up later is then the client's own.
        posts: how many attempts were in doubt. Each of them may have made one copy, besides the
            restream that the outcome names.
        others: ids of equal restreams that are wanted as well; it may grow.

    """

    absent_before: bool
    posts: int = 1
    others: AbstractSet[int | str] = frozenset()


@attrs.define
class CreateSucceeded:
    """A creation whose restream exists.

    Attributes:
        restream: what the service has.
        attempts: how many times the client tried to send the POST.
        origin: how the client knows the restream.
        maybe_duplicate: whether the POST was sent again without knowing the outcome of an attempt.
        doubt: what was uncertain, or None.

    """

    restream: Restream
    attempts: int
    origin: Origin
    maybe_duplicate: bool = False
    doubt: Doubt | None = None


@attrs.frozen(kw_only=True)
class CreateFailed:
    """A creation that failed, or whose outcome is unknown.

    Attributes:
        error: why.
        attempts: how many times the client tried to send the POST.
        doubt: what was uncertain, or None.

    """

    error: RestreamError
    attempts: int
    doubt: Doubt | None = None


def restream_or_raise(result: CreateSucceeded | CreateFailed) -> Restream:
    """Return the restream, or raise the error.

    Raises:
        RestreamError: the restream was not created, or the outcome is unknown.

    """
    if isinstance(result, CreateFailed):
        try:
            raise result.error
        finally:
            # As in `value_or_raise`.
            del result
    return result.restream


def outcome_of(result: CreateSucceeded | CreateFailed, index: int, new: NewRestream) -> Outcome:
    """Return the public outcome of a creation, for the item at `index` of an input."""
    if isinstance(result, CreateFailed):
        return Failed(index=index, request=new, error=result.error, attempts=result.attempts)
    return make_created(
        index, new, result.restream, result.attempts, result.origin, result.maybe_duplicate
    )
