"""Create restreams on the VP live-video platform: one or a million, each exactly once."""

from importlib import import_module
from logging import NullHandler, getLogger
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from restream_async._bulk.report import BulkReport
    from restream_async._retry.policy import RetryPolicy
    from restream_async.changes import Action, Change
    from restream_async.client import RestreamClient
    from restream_async.errors import (
        ApiError,
        AttemptTimeoutError,
        BackendFetchFailedError,
        BadRequestError,
        CertificateError,
        ClientClosedError,
        ConfigurationError,
        ForbiddenError,
        InternalServerError,
        InvalidRestreamError,
        JournalError,
        MalformedResponseError,
        NotFoundError,
        NotSentError,
        OutageError,
        OutcomeUnknownError,
        ProxyError,
        RestreamError,
        TooManyRequestsError,
        TransportError,
        UnauthorizedError,
    )
    from restream_async.models import Created, Failed, NewRestream, Origin, Outcome, Restream

    __version__: str

__all__ = [
    "Action",
    "ApiError",
    "AttemptTimeoutError",
    "BackendFetchFailedError",
    "BadRequestError",
    "BulkReport",
    "CertificateError",
    "Change",
    "ClientClosedError",
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
    "NotSentError",
    "Origin",
    "OutageError",
    "Outcome",
    "OutcomeUnknownError",
    "ProxyError",
    "Restream",
    "RestreamClient",
    "RestreamError",
    "RetryPolicy",
    "TooManyRequestsError",
    "TransportError",
    "UnauthorizedError",
    "__version__",
]

# Whether and where the library logs is up to the application.
getLogger(__name__).addHandler(NullHandler())

# The modules of the names that lie neither in `errors` nor in `models`.
_MODULES: Final = {
    "Action": "changes",
    "BulkReport": "_bulk.report",
    "Change": "changes",
    "RestreamClient": "client",
    "RetryPolicy": "_retry.policy",
}


# A name is imported when it is first used: a program that needs only an error does not wait for
# aiohttp.
def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in __all__:
        module = _MODULES.get(name) or ("errors" if name.endswith("Error") else "models")
        value = getattr(import_module(f"{__name__}.{module}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - as above

    try:
        return version("restream-async")
    except PackageNotFoundError:
        # A checkout that is not installed.
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(__all__)
