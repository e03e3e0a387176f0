"""The JSON of commands, outcomes and dead letters, for the AsyncAPI document."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic cannot read that of Python 3.11


class Command(TypedDict):
    """A restream to create."""

    videoId: str
    title: str
    streamUrl: str
    streamKey: str
    status: bool


class Event(TypedDict):
    """An event of the platform; one of a new live video asks for restreams, others for nothing."""

    eventType: str
    eventTime: str
    data: dict[str, object]


class _Report(TypedDict):
    stream: str
    sequence: int
    index: int
    delivery: int
    attempts: int
    messageId: str | None


class CreatedReport(_Report):
    """A restream that exists."""

    outcome: Literal["created"]
    id: int | str
    videoId: str
    title: str
    status: bool
    origin: Literal["posted", "confirmed", "existing"]
    maybeDuplicate: bool


class FailedReport(_Report):
    """A restream that will not be created."""

    outcome: Literal["failed"]
    videoId: NotRequired[str]
    title: NotRequired[str]
    errorType: str
    error: str
    httpStatus: int | None
