"""The restreams and answers that these tests send around, with the secrets they must not show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from restream_async import NewRestream
from restream_async._field_checks import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.helpers.raw_server import Peer, Seen

SELF_SIGNED: Final = Path(__file__).with_name("self_signed.pem")
"""A certificate, and its key, that no system trusts."""
API_KEY: Final = "api-key-7hV2qLz9"
STREAM_KEY: Final = "stream-key-Xk81mPq4"
USER_INFO: Final = "streamer-Ab3x:password-Qw9Zr"
QUERY: Final = "token=query-Rt6uIo"
STREAM_URL: Final = f"rtmps://{USER_INFO}@live.example.com/app/path-Lm5tYh?{QUERY}"

SECRETS: Final = (
    API_KEY,
    STREAM_KEY,
    STREAM_URL,
    USER_INFO,
    "password-Qw9Zr",
    "path-Lm5tYh",
    QUERY,
    "query-Rt6uIo",
)


def new_restream(video_id: str = "v1", **changes: Any) -> NewRestream:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "video_id": video_id,
        "title": "YouTube",
        "stream_url": STREAM_URL,
        "stream_key": STREAM_KEY,
        "status": True,
        **changes,
    }
    return NewRestream(**fields)


def many(count: int, *, first: int = 0) -> list[NewRestream]:
    return [new_restream(f"v{number}") for number in range(first, first + count)]


def largest() -> NewRestream:
    """Return one whose JSON is as long as any can be."""
    longest = "\U0001f4fa" * LONGEST_TEXT  # Twelve bytes in JSON for each.
    url = "rtmp://a/"
    return new_restream(
        longest, title=longest, stream_url=url + longest[len(url) :], stream_key=longest
    )


def on_the_wire(new: NewRestream, restream_id: int | str = 7) -> dict[str, object]:
    return {
        "id": restream_id,
        "title": new.title,
        "streamKey": new.stream_key,
        "streamUrl": new.stream_url,
        "status": new.status,
        "videoId": new.video_id,
    }


def envelope(result: object, *, status: int = 200, **changes: object) -> bytes:
    return json.dumps(
        {
            "success": status < 400,
            "errors": [],
            "messages": [],
            "result": result,
            "resultInfo": None,
            "statusCode": status,
            **changes,
        }
    ).encode()


def answer(
    body: bytes = b"",
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole answer as it stands on the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def created(new: NewRestream | None = None, restream_id: int | str = 7) -> bytes:
    wire = on_the_wire(new or new_restream(), restream_id)
    return answer(envelope(wire, status=201), "201 Created")


def created_for(seen: Seen, restream_id: int | str = 7) -> bytes:
    """Return the answer that creates what a request asks for."""
    return answer(envelope({**json.loads(seen.body), "id": restream_id}, status=201), "201 Created")


async def as_asked(peer: Peer, seen: Seen) -> None:
    """Create what a request asks for: a step of a raw server."""
    await peer.write(created_for(seen))


def listed(*restreams: dict[str, object]) -> bytes:
    return answer(envelope(list(restreams)))


# As captured from Varnish 7.1.1.
VARNISH_PAGE: Final = b"""\
<!DOCTYPE html>
<html>
  <head>
    <title>503 Backend fetch failed</title>
  </head>
  <body>
    <h1>Error 503 Backend fetch failed</h1>
    <p>Backend fetch failed</p>
    <h3>Guru Meditation:</h3>
    <p>XID: 3</p>
    <hr>
    <p>Varnish cache server</p>
  </body>
</html>
"""
BACKEND_FETCH_FAILED: Final = answer(
    VARNISH_PAGE,
    "503 Backend fetch failed",
    {
        "Server": "Varnish",
        "Content-Type": "text/html; charset=utf-8",
        "Retry-After": "5",
        "X-Varnish": "2",
        "Age": "0",
        "Via": "1.1 varnish (Varnish/7.1)",
    },
)
INTERNAL_ERROR: Final = answer(b"oops", "500 Internal Server Error")
