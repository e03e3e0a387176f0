"""The pytest fixtures."""

from collections.abc import Iterator

import pytest

from restream_async.client import RestreamClient
from restream_async.sandbox import Sandbox
from restream_async.sandbox.planned_failures import in_words
from restream_async.testing.client import SandboxClient
from restream_async.testing.memory import MemorySandbox


@pytest.fixture
def restream_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Give a fresh sandbox without faults; its `fail_next` and `faults` make it fail.

    A test that passes and leaves failures of `fail_next` unused ends with an error: what it wanted
    to show did not happen. Call `clear_failures` if they need not happen.
    """
    failed = request.session.testsfailed
    with Sandbox() as sandbox:
        yield sandbox
        unused = sandbox.pending_failures
    if unused and request.session.testsfailed == failed:
        pytest.fail(
            f"no request met these failures of fail_next:{in_words(unused)}\n"
            "If they need not happen, call clear_failures() at the end of the test.",
            pytrace=False,
        )


@pytest.fixture
def restream_client(restream_sandbox: Sandbox | MemorySandbox) -> Iterator[RestreamClient]:
    """Give a client of the sandbox whose retries never wait."""
    client = SandboxClient(restream_sandbox)
    yield client
    client.close_on_its_loop()
