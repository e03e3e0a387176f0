import attrs
import pytest

from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async.cli.output.run_result import RunResult
from restream_async.cli.output.run_summary import summary

ALL_WELL = RunResult(
    total=1000,
    counts=BulkCounts(posted=900, confirmed=100),
    by_first_attempt=850,
    examples={},
    duplicates=(),
    unchecked=0,
    seconds=4.21,
    signal_code=None,
    cut_short=False,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": BulkCounts(posted=999, failed={"ApiError": 1})},
        {"counts": BulkCounts(posted=999)},
        {"duplicates": (Duplicate(index=1, video_id="v1", kept=1, extra=(2,)),)},
    ],
)
def test_only_a_run_without_a_flaw_is_perfect(changes: dict[str, object]) -> None:
    assert ALL_WELL.succeeded
    result = attrs.evolve(ALL_WELL, **changes)  # type: ignore[arg-type]
    assert not result.succeeded
    assert summary(result).plain.startswith("✗")
