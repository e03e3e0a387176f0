"""Private: outcomes and dead letters of workers as lines, for people and as JSON."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from restream_async.cli.output.console import safe


def report_json(body: Mapping[str, Any], time: dt.datetime, **more: object) -> str:
    """Return a report as JSON in ASCII, which cannot steer a terminal either."""
    return json.dumps({**more, "time": time.isoformat(), **body})


def outcome_text(body: Mapping[str, Any], time: dt.datetime) -> str:
    """Return an outcome as a line."""
    word = "existing" if body.get("origin") == "existing" else body.get("outcome", "unknown")
    if "error" in body:
        end = body["error"]
    else:
        doubt = ", may exist twice" if body.get("maybeDuplicate") else ""
        end = f"restream {body.get('id')} ({body.get('origin')}{doubt})"
    return f"{_local(time)}  {safe(word):<8}  {_named(body)}{safe(end)}"


def letter_text(letter_id: int, body: Mapping[str, Any], time: dt.datetime, note: str = "") -> str:
    """Return a dead letter as a line that begins with its id, and ends with a note."""
    return f"{letter_id:>6}  {_local(time)}  {_named(body)}{safe(body.get('error'))}{note}"


def _named(body: Mapping[str, Any]) -> str:
    """Return the video and the title, as far as they are known."""
    parts = [safe(body[name]) for name in ("videoId", "title") if name in body]
    return f"{'  '.join(parts)}: " if parts else ""


def _local(time: dt.datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
