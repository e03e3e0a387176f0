"""The outcome of a run against an overloaded service."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Self

import attrs

from benchmarks.overload.watch import Answer
from benchmarks.run_report import RunReport
from benchmarks.service import FinalState


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of one run, or of the typical one of several.

    Attributes:
        seconds: until all was done.
        posts: requests to create that arrived at the service, per creation.
        failed: reported as not created.
        twice: stored twice or more.
        latency: seconds until a good answer, the median.
        done: good answers, by the second.

    """

    seconds: float
    posts: float
    failed: int
    twice: int
    latency: float
    done: tuple[int, ...]

    @classmethod
    def of(
        cls, run_report: RunReport, answers: Sequence[Answer], final: FinalState, seconds: float
    ) -> Self:
        """Return what came of a run."""
        copies = Counter((item.video_id, item.stream_url, item.stream_key) for item in final.stored)
        by_second = Counter(int(answer.moment) for answer in answers)
        return cls(
            seconds=seconds,
            posts=final.counts.posts / len(run_report.reports),
            failed=sum(bool(report.error) for report in run_report.reports.values()),
            twice=sum(count > 1 for count in copies.values()),
            latency=median([answer.latency for answer in answers] or [0.0]),
            done=tuple(by_second[second] for second in range(int(seconds) + 1)),
        )

    @classmethod
    def read(cls, figures: Mapping[str, Any]) -> Self:
        """Return the outcome that `attrs.asdict` and JSON have made these figures of."""
        read: dict[str, Any] = dict(figures)
        read["done"] = tuple(figures["done"])
        return cls(**read)

    @classmethod
    def typical(cls, outcomes: Sequence[Self]) -> Self:
        """Return the median of each number; what was done by the second, of the median run."""
        by_seconds = sorted(outcomes, key=lambda outcome: outcome.seconds)
        return attrs.evolve(
            by_seconds[len(by_seconds) // 2],
            seconds=median(outcome.seconds for outcome in outcomes),
            posts=median(outcome.posts for outcome in outcomes),
            failed=round(median(outcome.failed for outcome in outcomes)),
            twice=round(median(outcome.twice for outcome in outcomes)),
            latency=median(outcome.latency for outcome in outcomes),
        )
