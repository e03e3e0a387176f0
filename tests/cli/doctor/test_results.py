import pytest

from restream_async.cli.doctor.results import duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 ms"), (0.0123, "12 ms"), (1.0, "1.0 s"), (9.44, "9.4 s")]
)
def test_a_short_time_is_in_milliseconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text
