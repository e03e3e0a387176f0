from restream_async._retry.deadline import Deadline


class Time:
    """A clock set by hand, and how long outages have lasted so far."""

    now = 100.0
    held = 7.0


def test_the_remaining_time_shrinks_below_zero() -> None:
    time = Time()
    deadline = Deadline(lambda: time.now, 30)
    assert deadline.remaining() == 30
    time.now += 20
    assert deadline.remaining() == 10
    time.now += 20
    assert deadline.remaining() == -10


def test_an_ordinary_deadline_does_not_wait_for_an_outage() -> None:
    time = Time()
    deadline = Deadline(lambda: time.now, 30)
    time.now += 20
    time.held += 20
    assert deadline.remaining() == 10
    assert not deadline.patient


def test_the_deadline_of_a_patient_call_moves_on_in_an_outage() -> None:
    time = Time()
    deadline = Deadline(lambda: time.now, 30, lambda: time.held)
    assert deadline.patient
    assert deadline.remaining() == 30, "outages of before do not count"
    time.now += 5
    assert deadline.remaining() == 25
    time.now += 1000
    time.held += 1000
    assert deadline.remaining() == 25
    time.now += 25
    assert deadline.remaining() == 0
