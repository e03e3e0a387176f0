"""Private: counts of changes, by what they mean to a user."""

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from restream_async import OutcomeUnknownError
from restream_async.changes import Action, Change
from restream_async.cli.errors import describe
from restream_async.cli.output.outcome_totals import NOT_SENT
from restream_async.cli.output.run_summary import Count

DONE_WORDS: Final = {
    Action.CREATE: "created",
    Action.ENABLE: "enabled",
    Action.DISABLE: "disabled",
    Action.ROTATE: "rotated",
    Action.DELETE: "deleted",
}
"""The words for actions that `apply` has carried out."""


class Result(enum.Enum):
    """What became of a change; in a plan, what will become of it."""

    UNCHANGED = "unchanged"
    """There was nothing to do."""
    DONE = "done"
    NEEDS_OPTION = "needs_option"
    """It is made only with `--rotate` or `--prune`."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It may or may not have been made."""
    NOT_SENT = "not_sent"
    """The run ended before it was sent."""
    NOT_READ = "not_read"
    """The video could not be read, so nothing is known."""


def result_of(change: Change) -> Result:
    """Return the result of a change."""
    if change.error is None:
        if change.action is Action.KEEP:
            return Result.UNCHANGED
        return Result.NEEDS_OPTION if change.needs else Result.DONE
    if change.action is Action.KEEP:
        return Result.NOT_READ
    if isinstance(change.error, OutcomeUnknownError):
        return Result.UNKNOWN
    return Result.NOT_SENT if isinstance(change.error, NOT_SENT) else Result.FAILED


def is_in_sync(change: Change, *, applied: bool) -> bool:
    """Return whether the wanted state of a restream is reached; after `apply`, also by a change."""
    return change.is_in_sync or (applied and result_of(change) is Result.DONE)


@attrs.define
class ChangeTotals:
    """Counts changes.

    Attributes:
        applied: whether they come from `apply`.
        made: changes that are to be made, or were made, by action.
        results: all changes by result.
        to_rotate: changes that need `--rotate`.
        extra: extra restreams that need `--prune`.
        duplicates: duplicates that need `--prune`.
        titles: restreams whose title differs.
        unclear: restreams that the service does not show in full.
        failures: failures by the name of the error, without what was not sent.
        examples: the text of the first error of each name.
        unsent: how many were not read or not sent, because the run ended first.
        is_in_sync: whether the wanted state is reached.

    """

    applied: bool
    made: Counter[Action] = attrs.field(factory=Counter[Action])
    results: Counter[Result] = attrs.field(factory=Counter[Result])
    to_rotate: int = 0
    extra: int = 0
    duplicates: int = 0
    titles: int = 0
    unclear: int = 0
    failures: Counter[str] = attrs.field(factory=Counter[str])
    examples: dict[str, str] = attrs.field(factory=dict[str, str])
    unsent: int = 0
    is_in_sync: bool = True

    def add(self, change: Change) -> None:
        """Count a change."""
        result = result_of(change)
        self.results[result] += 1
        self.is_in_sync &= is_in_sync(change, applied=self.applied)
        if result is Result.DONE:
            self.made[change.action] += 1
        if result is Result.NEEDS_OPTION:
            self.to_rotate += change.needs == "rotate"
            self.duplicates += change.needs == "prune" and change.is_duplicate
            self.extra += change.needs == "prune" and not change.is_duplicate
        self.titles += has_other_title(change)
        self.unclear += change.is_unclear
        if isinstance(change.error, NOT_SENT):
            self.unsent += 1
        elif change.error is not None:
            name = type(change.error).__name__
            self.failures[name] += 1
            self.examples[name] = self.examples.get(name) or describe(change.error)

    @property
    def unread(self) -> int:
        """How many restreams are of videos that could not be read."""
        return self.results[Result.NOT_READ]

    @property
    def any_read(self) -> bool:
        """Whether a video could be read."""
        return self.results.total() > self.unread

    @property
    def failed(self) -> int:
        """How many changes were not made, or perhaps not."""
        results = self.results
        return results[Result.FAILED] + results[Result.UNKNOWN] + results[Result.NOT_SENT]

    @property
    def sentence(self) -> str:
        """The totals, such as `3 to create, 1 extra, 147 unchanged`, or `3 created, 1 failed`."""
        return ", ".join(f"{count:,} {what}" for count, what in self.numbers)

    @property
    def numbers(self) -> list[Count]:
        """The totals that are not 0, each with what it counts."""
        results = self.results
        counts = [
            *(
                (self.made[action], done if self.applied else f"to {action.value}")
                for action, done in DONE_WORDS.items()
            ),
            (results[Result.FAILED], "failed"),
            (results[Result.UNKNOWN], "in doubt"),
            (results[Result.NOT_SENT], "not sent"),
            (self.to_rotate, "needs --rotate" if self.to_rotate == 1 else "need --rotate"),
            (self.extra, "extra"),
            (self.duplicates, "duplicate" if self.duplicates == 1 else "duplicates"),
            (results[Result.NOT_READ], "not read"),
            (results[Result.UNCHANGED], "unchanged"),
        ]
        return [number for number in counts if number[0]]

    def remarks(self) -> Iterator[Count]:
        """Yield numbers that need an explanation, and the explanations; a number may be 0."""
        yield self.to_rotate, "with another stream key: --rotate replaces it"
        yield self.extra, "not in the input: --prune deletes such restreams"
        yield self.duplicates, "there more than once: --prune deletes the second copies"
        yield self.titles, "with another title: the service has no call that changes a title"
        yield (
            self.unclear,
            "not shown in full by the service, so they are never rotated or deleted",
        )


def has_other_title(change: Change) -> bool:
    """Return whether an existing restream has another title than the wanted one."""
    return "title" in change.differences and not change.is_duplicate
