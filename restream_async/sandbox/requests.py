"""Requests: which endpoint they call, and what a creation asks for."""

from __future__ import annotations

import enum
import json
from typing import cast
from urllib.parse import unquote

import attrs


class Endpoint(enum.Enum):
    """The endpoints of the service."""

    CREATE = "create"
    LIST = "list"
    TOGGLE = "toggle"
    DELETE = "delete"
    VIDEOS = "videos"
    UNKNOWN = "unknown"


@attrs.frozen
class SandboxRequest:
    """The parts of a request line."""

    endpoint: Endpoint
    project_id: str = ""
    target_id: str = ""
    """The id of the video or of the restream that the request is about."""
    query: str = ""


@attrs.frozen
class CreateBody:
    """What a creation asks for."""

    video_id: str
    title: str
    stream_url: str = attrs.field(repr=False)
    stream_key: str = attrs.field(repr=False)
    status: bool


def read_request(method: str, target: str) -> SandboxRequest:
    """Parse a request line. `target` is the raw path and query."""
    path, _, query = target.partition("?")
    parts = path.split("/")
    if "%" in path:
        # Only after the split, because an id may hold an encoded slash.
        parts = [unquote(part) for part in parts]
    match parts:
        case ["", "api", "v1", project_id, *rest]:
            endpoint, target_id = _route(method, rest)
            return SandboxRequest(endpoint, project_id, target_id, query)
        case _:
            return SandboxRequest(Endpoint.UNKNOWN)


def _route(method: str, rest: list[str]) -> tuple[Endpoint, str]:
    match (method, rest):
        case ("POST", ["restreams"]):
            return Endpoint.CREATE, ""
        case ("GET", ["live-video", video_id, "restreams"]):
            return Endpoint.LIST, video_id
        case ("PUT", ["restreams", restream_id, "toggle"]):
            return Endpoint.TOGGLE, restream_id
        case ("DELETE", ["restreams", restream_id]):
            return Endpoint.DELETE, restream_id
        case ("GET", ["live-videos"]):
            return Endpoint.VIDEOS, ""
        case _:
            return Endpoint.UNKNOWN, ""


def read_create_body(body: bytes) -> CreateBody | list[str]:
    """Parse the body of a creation; returns a list of what is wrong with it, field by field."""
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return ["The body is not valid JSON."]
    if not isinstance(document, dict):
        return ["The body must be a JSON object."]
    fields = cast("dict[str, object]", document)
    errors: list[str] = []

    def text(name: str) -> str:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
        errors.append(f"{name} must be a non-empty string.")
        return ""

    status = fields.get("status")
    create = CreateBody(
        video_id=text("videoId"),
        title=text("title"),
        stream_url=text("streamUrl"),
        stream_key=text("streamKey"),
        status=status is True,
    )
    if not isinstance(status, bool):
        errors.append("status must be a boolean.")
    return errors or create
