"""What the tests of code that uses this library need: fixtures, a check, a sandbox in memory.

Import the pytest fixtures in a `conftest.py`:

    from restream_async.testing import restream_client, restream_sandbox

`restream_client` is a client of a fresh sandbox, and its retries never wait. `restream_sandbox` is
that sandbox: it shows what was stored, and fails as `fail_next` and `faults` say.

The sandbox runs in a thread of its own, so it answers synchronous tests and tests on any event
loop. The client belongs to the event loop that uses it first, as every client does; the fixture
closes it there.
"""

from restream_async.testing.assertions import assert_stored
from restream_async.testing.client import sandbox_client
from restream_async.testing.clock import instant_clock
from restream_async.testing.fixtures import restream_client, restream_sandbox
from restream_async.testing.memory import MemorySandbox

__all__ = [
    "MemorySandbox",
    "assert_stored",
    "instant_clock",
    "restream_client",
    "restream_sandbox",
    "sandbox_client",
]
