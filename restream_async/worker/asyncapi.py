"""The AsyncAPI document of the subjects: commands, events, outcomes and dead letters.

It describes what `commands` and `webhooks` read and `reports` writes; a test compares them.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from restream_async import __version__
from restream_async.worker.subjects import Subjects

_Schema: TypeAlias = Mapping[str, Any]

_TEXT: Final[_Schema] = {"type": "string"}
_NUMBER: Final[_Schema] = {"type": "integer"}
_BOOLEAN: Final[_Schema] = {"type": "boolean"}

# The fields of an unusable message may be unreadable.
_OPTIONAL: Final = {("FailedReport", "videoId"), ("FailedReport", "title")}


def _any_of(*schemas: _Schema) -> _Schema:
    return {"anyOf": list(schemas)}


def _reference(path: str) -> dict[str, str]:
    return {"$ref": f"#/{path}"}


def _schema(name: str) -> _Schema:
    return _reference(f"components/schemas/{name}")


def _object(name: str, description: str, /, **fields: _Schema) -> _Schema:
    return {
        "description": description,
        "properties": {
            field: dict(sorted({**schema, "title": field.title()}.items()))
            for field, schema in fields.items()
        },
        "required": [field for field in fields if (name, field) not in _OPTIONAL],
        "title": name,
        "type": "object",
    }


_SOURCE: Final[dict[str, _Schema]] = {
    "stream": _TEXT,
    "sequence": _NUMBER,
    "index": _NUMBER,
    "delivery": _NUMBER,
    "attempts": _NUMBER,
    "messageId": _any_of(_TEXT, {"type": "null"}),
}
_SCHEMAS: Final[dict[str, _Schema]] = {
    "Command": _object(
        "Command",
        "A restream to create.",
        videoId=_TEXT,
        title=_TEXT,
        streamUrl=_TEXT,
        streamKey=_TEXT,
        status=_BOOLEAN,
    ),
    "Commands:Message:Payload": {
        **_any_of(_schema("Command"), {"items": _schema("Command"), "type": "array"}),
        "title": "Commands:Message:Payload",
    },
    "Event": _object(
        "Event",
        "An event of the platform. By default one of a new live video asks for restreams.",
        eventType=_TEXT,
        eventTime=_TEXT,
        data={"additionalProperties": True, "type": "object"},
    ),
    "CreatedReport": _object(
        "CreatedReport",
        "A restream that exists.",
        **_SOURCE,
        outcome={"const": "created", **_TEXT},
        id=_any_of(_NUMBER, _TEXT),
        videoId=_TEXT,
        title=_TEXT,
        status=_BOOLEAN,
        origin={"enum": ["posted", "confirmed", "existing"], **_TEXT},
        maybeDuplicate=_BOOLEAN,
    ),
    "FailedReport": _object(
        "FailedReport",
        "A restream that will not be created.",
        **_SOURCE,
        outcome={"const": "failed", **_TEXT},
        videoId=_TEXT,
        title=_TEXT,
        errorType=_TEXT,
        error=_TEXT,
        httpStatus=_any_of(_NUMBER, {"type": "null"}),
    ),
    "Outcomes:Message:Payload": {
        **_any_of(_schema("CreatedReport"), _schema("FailedReport")),
        "title": "Outcomes:Message:Payload",
    },
}


def document(subjects: Subjects) -> str:
    """Return the document as JSON."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, action, address, payload, description in (
        (
            "Commands",
            "receive",
            subjects.commands,
            "Commands:Message:Payload",
            "Restreams to create: one, or a list.",
        ),
        (
            "Events",
            "receive",
            subjects.events,
            "Event",
            "Events of the platform. By default a new live video becomes commands.",
        ),
        (
            "Outcomes",
            "send",
            subjects.outcomes,
            "Outcomes:Message:Payload",
            "What became of each restream.",
        ),
        (
            "DeadLetters",
            "send",
            subjects.dead,
            "FailedReport",
            "Restreams that will not be created, with the reason.",
        ),
        (
            "DeadCommands",
            "send",
            subjects.dead_commands,
            "Command",
            "What a retry of a dead letter asks for, with its stream key.",
        ),
    ):
        kind = "SubscribeMessage" if action == "receive" else "Message"
        message = f"{name}:{kind}"
        channels[name] = {
            "address": address,
            "description": description,
            "servers": [_reference("servers/development")],
            "messages": {kind: _reference(f"components/messages/{message}")},
            "bindings": {"nats": {"subject": address, "bindingVersion": "custom"}},
        }
        operations[name] = {
            "action": action,
            "channel": _reference(f"channels/{name}"),
            "messages": [_reference(f"channels/{name}/messages/{kind}")],
        }
        messages[message] = {
            "title": message,
            "correlationId": {"location": "$message.header#/correlation_id"},
            "payload": _schema(payload),
        }
    whole: dict[str, Any] = {
        "info": {
            "title": "restream-async worker",
            "version": __version__,
            "description": "Creates restreams on the VP live-video platform, each exactly once.",
        },
        "asyncapi": "3.0.0",
        "defaultContentType": "application/json",
        "servers": {
            "development": {
                "host": "127.0.0.1:4222",
                "pathname": "",
                "protocol": "nats",
                "description": "NATS JetStream",
                "protocolVersion": "custom",
                "security": [],
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": _SCHEMAS, "securitySchemes": {}},
    }
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
