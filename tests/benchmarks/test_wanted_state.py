"""The benchmark of plan and apply: a small one says what a large one says."""

import pytest

from benchmarks import wanted_state


def test_a_small_one_stays_within_its_memory_and_its_lists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["wanted_state", "--count", "300", "--videos", "60"])
    assert wanted_state.main() == 0
    shown = capsys.readouterr().out
    assert "apply of 300 wanted restreams of 60 videos" in shown
    assert "1.00 lists a video (at most 1), 0 changes" in shown
