"""The errors of workers."""

from restream_async.errors import RestreamError


class WorkerEndedError(RestreamError):
    """A running worker cannot go on; the message says why.

    A consumer or stream that it needs was deleted, or the NATS server has closed the connection for
    good, for example because the user was revoked.
    """
