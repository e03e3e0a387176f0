"""Create restreams on the VP live-video platform: one or a million, each exactly once."""

from restream_async.bulk import BulkReport
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
