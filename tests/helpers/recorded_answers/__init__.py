"""Answers of real servers; README.md says of which."""

from pathlib import Path

from multidict import CIMultiDict

from restream_async._http.messages import Response


def sample(name: str) -> Response:
    """Return a recorded answer as the transport would bring it."""
    raw = Path(__file__).with_name(f"{name}.http").read_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, reason = first.split(" ", 2)
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(": ")
        headers.add(name, value)
    return Response(status=int(status), reason=reason, headers=headers, body=body)
