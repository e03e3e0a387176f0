import pytest

from restream_async.cli.options.shared import seconds, seconds_or_zero


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_timeout_must_be_a_number_of_seconds_above_zero(text: str) -> None:
    with pytest.raises(Exception, match="is not a number of seconds above 0"):
        seconds(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon"])
def test_a_latency_must_be_a_number_of_seconds(text: str) -> None:
    with pytest.raises(Exception, match="is not a number of seconds"):
        seconds_or_zero(text)


def test_seconds_may_have_a_fraction() -> None:
    assert seconds("0.5") == 0.5
    assert seconds_or_zero("0") == 0
