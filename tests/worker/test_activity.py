from unittest.mock import Mock

import pytest

from restream_async.worker.activity import Activity

CONNECTED = Mock(is_connected=True, is_closed=False)
LOST = Mock(is_connected=False, is_closed=False)
CLOSED = Mock(is_connected=False, is_closed=True)


def activity(**changes: object) -> Activity:
    fields = {"slots": 2, "connection": CONNECTED, "pulling": 2}
    return Activity(**fields | changes)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (activity(), ""),
        (activity(connection=None), "starting"),
        (activity(pulling=1), "starting"),
        (activity(connection=LOST), "the connection to the NATS server is lost"),
        (activity(connection=CLOSED), "the connection to the NATS server is closed for good"),
        (activity(answered=False), "the NATS server does not answer"),
        (
            activity(stopping=True, in_progress=3, connection=LOST),
            "stopping; messages in progress: 3",
        ),
    ],
    ids=["ready", "connecting", "one slot", "lost", "closed", "silent", "stopping"],
)
def test_a_worker_is_ready_if_all_slots_fetch_from_a_server_that_answers(
    found: Activity, reason: str
) -> None:
    assert found.readiness_problem() == reason


def test_a_server_that_answers_again_is_no_problem_for_a_worker_that_stops() -> None:
    assert activity(stopping=True).nats_problem() == ""


@pytest.mark.parametrize(
    ("connection", "is_alive"),
    [(None, True), (CONNECTED, True), (LOST, True), (CLOSED, False)],
    ids=["connecting", "connected", "lost", "closed"],
)
def test_only_a_connection_that_never_comes_back_ends_a_life(
    connection: object, *, is_alive: bool
) -> None:
    assert (activity(connection=connection).liveness_problem() == "") == is_alive


def test_messages_in_progress_and_redeliveries_are_counted() -> None:
    found = activity()
    with found.message(1), found.message(2):
        assert (found.in_progress, found.redelivered) == (2, 1)
    assert (found.in_progress, found.redelivered) == (0, 1)


def test_the_last_error_of_an_outage_is_told() -> None:
    def with_stats(state: str, last_error: str) -> Activity:
        stats = Mock(state=state, last_error=last_error)
        return activity(client=Mock(stats=lambda: stats))

    assert activity().outage() == ""
    assert with_stats("closed", "500").outage() == ""
    assert with_stats("open", "500").outage() == "500"
    assert with_stats("open", "").outage() == "no answer"
