"""Create restreams on the VP live-video platform: one or a million, each exactly once."""

from restream_async.client import RestreamClient
from restream_async.errors import (
    ApiError,
    AttemptTimeoutError,
    BackendFetchFailedError,
    BadRequestError,
    ConfigurationError,
    ForbiddenError,
    InternalServerError,
    InvalidRestreamError,
    JournalError,
    MalformedResponseError,
    NotFoundError,
    OutageError,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
    UnauthorizedError,
)
from restream_async.model import Created, Failed, NewRestream, Origin, Outcome, Restream
from restream_async.policy import RetryPolicy
from restream_async.report import BulkReport

__all__ = [
    "ApiError",
    "AttemptTimeoutError",
    "BackendFetchFailedError",
    "BadRequestError",
    "BulkReport",
    "ConfigurationError",
    "Created",
    "Failed",
    "ForbiddenError",
    "InternalServerError",
    "InvalidRestreamError",
    "JournalError",
    "MalformedResponseError",
    "NewRestream",
    "NotFoundError",
    "Origin",
    "OutageError",
    "Outcome",
    "OutcomeUnknownError",
    "Restream",
    "RestreamClient",
    "RestreamError",
    "RetryPolicy",
    "TransportError",
    "UnauthorizedError",
]
