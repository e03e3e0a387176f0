"""The testing kit in a small project of its own: what pytest says of its tests."""

import pytest

pytest_plugins = ["pytester"]

_CONFTEST = """
from restream_async.testing import restream_client, restream_sandbox
"""
_IMPORTS = """
import pytest
from restream_async import NewRestream
from restream_async.testing import MemorySandbox, assert_stored

NEW = NewRestream(video_id="v1", title="Twitch", stream_url="rtmp://live.twitch.tv/app",
                  stream_key="SECRET-1", status=True)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(_CONFTEST)
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
        "filterwarnings = error\n"
    )
    return pytester


def run(project: pytest.Pytester, test: str) -> pytest.RunResult:
    """Run the tests of one file in this process."""
    project.makepyfile(_IMPORTS + test)
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist")


def test_a_lost_answer_creates_once(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
async def test_it(restream_client, restream_sandbox):
    restream_sandbox.fail_next(503, after_effect=True)
    await restream_client.create(NEW)
    assert_stored(restream_sandbox, [NEW])
""",
    )

    result.assert_outcomes(passed=1)


def test_a_difference_is_shown_at_the_line_of_the_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
async def test_it(restream_client, restream_sandbox):
    await restream_client.create(NEW)
    assert_stored(restream_sandbox, [])
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       assert_stored(restream_sandbox, [[]])",
            "E       AssertionError: the sandbox has 1 restreams, and 0 were wanted:",
            "E         not wanted: Restream(id=1, video_id='v1', title='Twitch', *",
            "test_*.py:*: AssertionError",
        ]
    )
    assert "SECRET" not in result.stdout.str()
    assert "_differences" not in result.stdout.str(), "no line of the kit is shown"


def test_a_failure_that_was_not_used_is_an_error(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
async def test_it(restream_client, restream_sandbox):
    restream_sandbox.fail_next(503, call="delete")
    await restream_client.create(NEW)
""",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "no request met these failures of fail_next:",
            "  BACKEND_FETCH_FAILED at the next delete",
            "If they need not happen, call clear_failures() at the end of the test.",
        ]
    )


def test_a_test_that_allows_it_or_has_failed_anyway_gets_no_such_error(
    project: pytest.Pytester,
) -> None:
    result = run(
        project,
        """
def test_allowed(restream_sandbox):
    restream_sandbox.fail_next(503)
    restream_sandbox.clear_failures()

def test_failed(restream_sandbox):
    restream_sandbox.fail_next(503)
    assert False
""",
    )

    result.assert_outcomes(passed=1, failed=1)


def test_a_project_switches_all_its_tests_to_memory(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import socket

@pytest.fixture
def restream_sandbox():
    return MemorySandbox()

async def test_it(restream_client, restream_sandbox, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    restream_sandbox.fail_next(503, after_effect=True)
    assert len((await restream_client.create_all([NEW, NEW])).created) == 2
    assert_stored(restream_sandbox, [NEW])
""",
    )

    result.assert_outcomes(passed=1)
