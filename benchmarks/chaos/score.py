"""The score of a run: what a contestant reports, compared with what is stored."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import attrs

from benchmarks.run_report import Id, RunReport
from benchmarks.service import FinalState
from restream_async import NewRestream


@attrs.frozen(kw_only=True)
class Score:
    """How one run ended. A creation that is stored twice can be reported wrongly as well.

    Attributes:
        creations: how many were asked for.
        once: stored once.
        lost: not stored.
        twice: stored twice or more.
        said_created: reported as created, but not stored.
        said_failed: reported as not created, but stored.
        said_unknown: reported as unknown, which is never wrong.
        wrong_id: reported as created and stored, but under another id.
        twice_unsaid: stored twice or more, and not reported as such.
        posts: creations that arrived at the service.
        lists: existence checks that arrived at the service.
        faults: faults that requests met.
        seconds: the duration, one number for each run.
        errors: the creations reported as not created, by error name.

    """

    creations: int
    once: int
    lost: int
    twice: int
    said_created: int
    said_failed: int
    said_unknown: int
    wrong_id: int
    twice_unsaid: int
    posts: int
    lists: int
    faults: int
    seconds: tuple[float, ...]
    errors: Counter[str]

    @property
    def wrong(self) -> int:
        """Reported wrongly, in any way."""
        return self.said_created + self.said_failed + self.wrong_id

    @property
    def spotless(self) -> bool:
        """Whether each is stored once, and nothing is reported wrongly."""
        return self.once == self.creations and not self.wrong

    @property
    def posts_per_creation(self) -> float:
        """How often a creation was sent, on average."""
        return self.posts / self.creations

    @classmethod
    def read(cls, figures: Mapping[str, Any]) -> Self:
        """Return the score of these figures, which `attrs.asdict` has made."""
        read: dict[str, Any] = dict(figures)
        read["seconds"] = tuple(figures["seconds"])
        read["errors"] = Counter(figures["errors"])
        return cls(**read)

    @classmethod
    def total(cls, scores: Iterable[Self]) -> Self:
        """Return several runs as one."""
        first, *others = scores
        for other in others:
            first = cls(
                **{
                    field.name: getattr(first, field.name) + getattr(other, field.name)
                    for field in attrs.fields(cls)
                }
            )
        return first


def score(
    requests: Sequence[NewRestream], run_report: RunReport, final: FinalState, seconds: float
) -> Score:
    """Compare the report of a run with the final state of the service.

    Raises:
        ValueError: the report does not cover each creation.

    """
    if len(run_report.reports) != len(requests):
        raise ValueError(f"{len(run_report.reports)} reports on {len(requests)} creations")
    stored: defaultdict[tuple[str, str, str], list[Id]] = defaultdict(list)
    for item in final.stored:
        stored[item.video_id, item.stream_url, item.stream_key].append(item.id)
    marks: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for index, new in enumerate(requests):
        ids = stored[new.video_id, new.stream_url, new.stream_key]
        report = run_report.reports[index]
        marks[("lost", "once", "twice")[min(len(ids), 2)]] += 1
        marks["twice_unsaid"] += len(ids) > 1 and index not in run_report.maybe_twice
        if report.unknown:
            marks["said_unknown"] += 1
        elif report.error:
            marks["said_failed"] += bool(ids)
        elif not ids:
            marks["said_created"] += 1
        elif report.id not in ids:
            marks["wrong_id"] += 1
        if report.error:
            errors[report.error] += 1
    return Score(
        creations=len(requests),
        once=marks["once"],
        lost=marks["lost"],
        twice=marks["twice"],
        said_created=marks["said_created"],
        said_failed=marks["said_failed"],
        said_unknown=marks["said_unknown"],
        wrong_id=marks["wrong_id"],
        twice_unsaid=marks["twice_unsaid"],
        posts=final.counts.posts,
        lists=final.counts.lists,
        faults=final.counts.faults.total,
        seconds=(seconds,),
        errors=errors,
    )
