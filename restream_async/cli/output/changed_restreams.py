"""Private: reports restreams that a command changes: each as it ends, and the totals."""

import json
import sys
from typing import Any, Final, Literal, TypeAlias

import attrs

from restream_async import ApiError, OutcomeUnknownError, Restream, RestreamError
from restream_async.cli.errors import describe, in_cli_words, system_reason
from restream_async.cli.output.console import console_on, plural, safe, say, say_error
from restream_async.cli.output.restreams import json_fields
from restream_async.errors import ClientClosedError, NotSentError

End: TypeAlias = Literal["changed", "deleted", "unchanged", "failed", "unknown", "not_sent"]
"""What became of a restream, as JSON has it."""

_NOT_SENT: Final = (NotSentError, ClientClosedError)


@attrs.frozen(kw_only=True)
class Words:
    """How a command speaks of what it does.

    Attributes:
        verb: for questions, such as `Switch on`.
        done: for totals, such as `switched on`.
        now: what the restream is afterwards, such as `is now active`.
        before: for totals, what needs no change, such as `active already`.
        end: what JSON says of a success.

    """

    verb: str
    done: str
    now: str
    before: str = ""
    end: End = "changed"


class ChangedRestreams:
    """Prints and counts the ends.

    Attributes:
        problem: why standard output could not be written, or empty.

    """

    def __init__(self, words: Words, *, total: int, unread: int, as_json: bool) -> None:
        """Begin with none.

        Args:
            words: how to speak of the change.
            total: how many restreams are selected.
            unread: how many videos could not be listed.
            as_json: whether to print JSON lines instead of sentences.

        """
        self.problem = ""
        self._words = words
        self._total = total
        self._unread = unread
        self._as_json = as_json
        self._counts: dict[End, int] = {}

    def video_failed(self, video_id: str, error: RestreamError) -> None:
        """Report a video that could not be listed."""
        if self._as_json:
            self._print_json({"outcome": "failed", "videoId": video_id, **_error_fields(error)})
        say_error(f"the restreams of {safe(video_id)} could not be listed: {describe(error)}")

    def unchanged(self, restream: Restream) -> None:
        """Report a restream that needs no change."""
        self._count("unchanged")
        if self._as_json:
            self._print_json({"outcome": "unchanged", **json_fields(restream)})

    def changed(self, restream: Restream) -> None:
        """Report a success."""
        self._count(self._words.end)
        if self._as_json:
            self._print_json({"outcome": self._words.end, **json_fields(restream)})
        else:
            self._print(f"{_named(restream)} {self._words.now}.")

    def failed(self, restream: Restream, error: RestreamError) -> None:
        """Report a failure."""
        done = self._words.done
        fields = json_fields(restream)
        if isinstance(error, _NOT_SENT):
            end: End = "not_sent"
        elif isinstance(error, OutcomeUnknownError):
            end = "unknown"
            fields["status"] = None
            say_error(f"{_named(restream)} may or may not have been {done}: {describe(error)}")
        else:
            end = "failed"
            say_error(f"{_named(restream)} was not {done}: {describe(error)}")
        self._count(end)
        if self._as_json:
            self._print_json({"outcome": end, **fields, **_error_fields(error)})

    def interrupted(self, restream: Restream) -> None:
        """Report a restream whose change was cut short."""
        self._count("unknown")
        say_error(f"{_named(restream)} may or may not have been {self._words.done}: interrupted")
        if self._as_json:
            fields = {**json_fields(restream), "status": None}
            self._print_json({"outcome": "unknown", **fields, "error": "interrupted"})

    @property
    def succeeded(self) -> bool:
        """Whether every restream is as it should be, and every video was listed."""
        done = self._counts.get(self._words.end, 0) + self._counts.get("unchanged", 0)
        return done == self._total and not self._unread

    @property
    def summary(self) -> str:
        """The totals as a sentence."""
        words = self._words
        names: dict[End, str] = {
            words.end: words.done,
            "unchanged": words.before,
            "failed": "failed",
            "unknown": "in doubt",
        }
        counted = {name: self._counts.get(end, 0) for end, name in names.items()}
        counted["not sent"] = self._total - sum(counted.values())
        parts = ", ".join(f"{count:,} {name}" for name, count in counted.items() if count)
        text = f"{plural(self._total, 'restream')}: {parts}." if self._total else ""
        unread = f"{plural(self._unread, 'video')} could not be listed." if self._unread else ""
        return " ".join(filter(None, [text, unread]))

    def _count(self, end: End) -> None:
        self._counts[end] = self._counts.get(end, 0) + 1

    def _print_json(self, fields: dict[str, Any]) -> None:
        self._print(json.dumps(fields))

    def _print(self, text: str) -> None:
        """Print on standard output; keep the first problem, so that the work goes on."""
        try:
            console = console_on(sys.stdout)
            if self._as_json:
                console.print(text, soft_wrap=True)
            else:
                say(console, text)
        except OSError as error:
            self.problem = self.problem or system_reason(error)


def _named(restream: Restream) -> str:
    return f"{safe(restream.video_id)}: {safe(restream.title)} (restream {safe(restream.id)})"


def _error_fields(error: RestreamError) -> dict[str, Any]:
    fields: dict[str, Any] = {"errorType": type(error).__name__, "error": in_cli_words(error)}
    if isinstance(error, ApiError):
        fields["httpStatus"] = error.status
    return fields
