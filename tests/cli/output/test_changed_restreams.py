import json

import pytest

from restream_async import ClientClosedError, Restream
from restream_async.cli.output.changed_restreams import ChangedRestreams, Words
from restream_async.errors import Call, CallError, NotSentError
from tests.helpers.command_line import STREAM_KEY, STREAM_URL, no_secrets

WORDS = Words(verb="Switch off", done="switched off", now="is now inactive", before="inactive")
CALL = Call("PUT", "/restreams/1/toggle", restream_id="1")
NOT_SENT = (
    NotSentError(CALL, detail="stopped before it was sent", sent=False),
    ClientClosedError(CALL, detail="the client is draining", sent=False),
)


def restream(number: int) -> Restream:
    return Restream(
        id=number,
        title="Own\x1b[2J",
        stream_key=STREAM_KEY,
        stream_url=STREAM_URL,
        status=True,
        video_id="v1",
    )


@pytest.mark.parametrize("error", NOT_SENT)
def test_what_was_not_sent_is_counted_and_no_error(
    capsys: pytest.CaptureFixture[str], error: CallError
) -> None:
    report = ChangedRestreams(WORDS, total=3, unread=0, as_json=True)
    report.failed(restream(1), error)
    report.unchanged(restream(2))
    assert report.summary == "3 restreams: 1 inactive, 2 not sent."
    assert not report.succeeded
    out, err = capsys.readouterr()
    assert err == ""
    first, second = map(json.loads, out.splitlines())
    assert (first["outcome"], first["status"]) == ("not_sent", True)
    assert first["errorType"] == type(error).__name__
    assert second["outcome"] == "unchanged"
    assert no_secrets(out)


def test_it_steers_no_terminal_and_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    report = ChangedRestreams(WORDS, total=2, unread=0, as_json=False)
    report.changed(restream(1))
    report.interrupted(restream(2))
    report.unchanged(restream(3))
    out, err = capsys.readouterr()
    assert out == "v1: Own [2J (restream 1) is now inactive.\n"
    assert err == (
        "Error: v1: Own [2J (restream 2) may or may not have been switched off: interrupted\n"
    )
    assert no_secrets(out, err)
