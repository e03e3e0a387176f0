"""Private: what a bulk run would do with an input, found without a request.

Each line costs 8 bytes: a hash of what makes two restreams equal. The hashes are kept in groups,
and counted group by group at the end.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Final

from restream_async import NewRestream
from restream_async._bulk.repeats import RecentItems, Repeats
from restream_async._journal.entries import BEGUN, DONE, State
from restream_async._journal.reading import JournalReader
from restream_async._operations.existence import key_of
from restream_async.cli.output.run_summary import Count

_GROUPS: Final = 256
# A hash has 64 bits; the first 8 of them name its group.
_DIGITS: Final = 16
_MASK: Final = (1 << 64) - 1
_SHIFT: Final = 56


class Forecast:
    """Counts what a run would do with each restream of an input."""

    def __init__(
        self, earlier: JournalReader | None, *, repeats: Repeats, ensure: bool, has_journal: bool
    ) -> None:
        """Start with no restreams.

        Args:
            earlier: what earlier runs have noted in the journal of the run, or None.
            repeats: as for the run.
            ensure: as for the run.
            has_journal: whether the run will have a journal. A run without one forgets.

        """
        self._earlier = earlier
        self._creates_repeats = repeats == "create"
        self._ensure = ensure
        self._forgets = not (has_journal or ensure or self._creates_repeats)
        self._recent = RecentItems()
        self._recognised = 0
        self._groups = [array("Q") for _ in range(_GROUPS)]

    def add(self, new: NewRestream) -> None:
        """Count a restream."""
        key = key_of(new)
        if self._earlier is None:
            mark = hash(key) & _MASK
        else:
            mark = _mark(self._earlier.fingerprint(*key))
        self._groups[mark >> _SHIFT].append(mark)
        if self._forgets:
            self._recognised += self._recent.has(new)

    def counts(self) -> Iterator[Count]:
        """Yield how many restreams the run would create, how many exist, and so on."""
        new, repeats, states = self._compared()
        begun = sum(states[state] for state in BEGUN)
        done = sum(states[state] for state in DONE)
        create = new + states.total() - begun - done
        again = 0
        if self._forgets or self._creates_repeats:
            again = repeats - self._recognised
            repeats = self._recognised
        if self._ensure:
            yield (
                create + again + begun + done,
                "would be checked at the service, and created if they do not exist (--ensure)",
            )
        else:
            yield create + again, "would be created"
            yield again, self._why_again
            yield begun, "would be checked at the service first: an earlier run was interrupted"
            yield done, "done, according to the journal"
        yield repeats, "equal to another line, and would be reported as existing"

    @property
    def _why_again(self) -> str:
        if self._creates_repeats:
            return "of these equal to another line (--repeats create)"
        return (
            "of these equal to a line far above: a run without a journal recognises only the "
            "latest 15,000 restreams or more"
        )

    def _compared(self) -> tuple[int, int, Counter[State]]:
        """Compare the input with the journal.

        The first of several equal restreams takes what the journal has of the first one, the second
        one that of the second, and so on.

        Returns:
            How many are new; how many repeat a line, and are not in the journal; the states of
            those that are in the journal.

        """
        new = repeats = 0
        states: Counter[State] = Counter()
        for number, group in enumerate(self._groups):
            lines = Counter(group)
            known: set[int] = set()
            for fingerprint, state in self._noted(number):
                mark = _mark(fingerprint)
                if lines.get(mark):
                    lines[mark] -= 1
                    states[state] += 1
                    known.add(mark)
            firsts = len(lines) - len(known)
            new += firsts
            repeats += lines.total() - firsts
        return new, repeats, states

    def _noted(self, group: int) -> list[tuple[str, State]]:
        return [] if self._earlier is None else self._earlier.states(f"{group:02x}")


def _mark(fingerprint: str) -> int:
    return int(fingerprint[:_DIGITS], 16)
