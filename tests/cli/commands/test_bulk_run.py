"""What `bulk` prints about runs that end early: by a signal, or by an error.

The runs are played: they report what `BulkRun` reports in the same case.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final, Self

import attrs
import pytest

from restream_async import (
    ApiError,
    BadRequestError,
    Created,
    Failed,
    ForbiddenError,
    JournalError,
    NewRestream,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    Restream,
    RestreamClient,
    RestreamError,
    TransportError,
    UnauthorizedError,
)
from restream_async._bulk.report import CountsBuilder
from restream_async.cli import main
from restream_async.errors import Call, CallError, CertificateError, NotSentError, ProxyError
from restream_async.stats import Stats
from tests.helpers.command_line import Cli, outcomes, plain, pseudo_terminal

COUNT = 10
CALL = Call("POST", "/api/v1/p1/restreams", "v1")
NOT_SENT = NotSentError(CALL, detail="stopped", sent=False)
REFUSED = TransportError(CALL, detail="connection refused", sent=False)
TRUST = "trust the certificate authority of the service with ssl=… or the variable SSL_CERT_FILE"
IN_DOUBT = OutcomeUnknownError(CALL, doubt=TransportError(CALL, detail="lost", sent=True))


class PlayedRun:
    """A run that creates a few restreams and ends early.

    After `created` items, it waits until it is stopped, unless `at_once` is true. Then the next
    items end with the errors in `then`, and the run ends with `error`.
    """

    def __init__(
        self,
        requests: Iterable[NewRestream],
        *,
        created: int,
        then: list[RestreamError],
        error: RestreamError | None,
        at_once: bool,
    ) -> None:
        self._requests = iter(requests)
        self._created = created
        self._then = then
        self._error = error
        self._stopped = asyncio.Event()
        self._counts = CountsBuilder()
        self.unknown = 0
        self.duplicates = ()
        self.unchecked = 0
        self.before_reading: Any = None
        if at_once:
            self._stopped.set()

    async def __aenter__(self) -> Self:
        await self.before_reading(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: no request is in flight."""

    @property
    def counts(self) -> Any:  # noqa: ANN401 - those of a run
        return self._counts.counts

    def stop(self) -> None:
        self._stopped.set()

    async def __aiter__(self) -> AsyncIterator[Outcome]:
        for index in range(self._created):
            yield self._note(_created(index, next(self._requests)))
        items = [(error, next(self._requests)) for error in self._then]
        await self._stopped.wait()
        for index, (error, new) in enumerate(items, self._created):
            yield self._note(Failed(index=index, request=new, error=error, attempts=1))
        if self._error is not None:
            raise self._error

    def _note(self, outcome: Outcome) -> Outcome:
        self._counts.add(outcome, in_doubt=False)
        return outcome


def _created(index: int, new: NewRestream) -> Created:
    restream = Restream(
        id=index,
        title=new.title,
        stream_key=new.stream_key,
        stream_url=new.stream_url,
        status=new.status,
        video_id=new.video_id,
    )
    return Created(index=index, request=new, restream=restream, attempts=1)


@pytest.fixture
def play(settings: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that replaces the next runs by played ones."""

    def play(
        created: int,
        *then: RestreamError,
        error: RestreamError | None = None,
        at_once: bool = True,
    ) -> None:
        def create_many(_: object, requests: Iterable[NewRestream], **__: object) -> PlayedRun:
            return PlayedRun(requests, created=created, then=[*then], error=error, at_once=at_once)

        settings.setattr(RestreamClient, "create_many", create_many)

    return play


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_not_sent_and_what_is_in_doubt_are_told_apart_after_a_signal(
    cli: Cli,
    file: Path,
    play: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    play(2, NOT_SENT, IN_DOUBT, NOT_SENT, NOT_SENT, at_once=False)
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.05)

    async def interrupt() -> None:
        await asyncio.sleep(0.2)
        os.kill(os.getpid(), number)
        await asyncio.sleep(60)

    original = PlayedRun.__aenter__

    async def enter(run: PlayedRun) -> PlayedRun:
        interrupting.append(asyncio.create_task(interrupt()))
        return await original(run)

    async def leave(*_: object) -> None:
        interrupting[0].cancel()
        # The time that a request in flight takes.
        await asyncio.sleep(0)

    interrupting: list[asyncio.Task[None]] = []
    monkeypatch.setattr(PlayedRun, "__aenter__", enter)
    monkeypatch.setattr(PlayedRun, "__aexit__", leave)
    end = cli("bulk", file)
    assert end.code == code
    assert "Stopping: requests in flight are finished first." in end.err
    assert "✗ 2 restreams created, 1 in doubt, 7 not sent, in" in end.err
    assert f"1 restream may or may not have been created: line 5 of {file}" in end.err
    assert f"7 restreams were not sent: lines 4 and 6 to 11 of {file}" in end.err
    assert "To go on, run the same command again" in end.err
    words = [each["outcome"] for each in outcomes(end.out)]
    assert words == ["created", "created", "not_sent", "unknown", "not_sent", "not_sent"]


@pytest.mark.parametrize(
    ("error", "counted", "remedy"),
    [
        (
            UnauthorizedError(CALL, status=401, reason="Unauthorized", note="check the key"),
            "3 refused, 6 not sent",
            "; check the key",
        ),
        (
            ForbiddenError(CALL, status=403, reason="Forbidden", note="check its rights"),
            "3 refused, 6 not sent",
            "; check its rights",
        ),
        (
            CertificateError(CALL, detail="unknown CA", sent=False, note=TRUST),
            "9 not sent",
            (
                "; trust the certificate authority of the service with --ca-file or the variable "
                "SSL_CERT_FILE"
            ),
        ),
        (
            ProxyError(CALL, detail="the proxy wants a login", sent=False, note="give it one"),
            "9 not sent",
            "; give it one",
        ),
        (
            OutageError(CALL, reached=False, last=REFUSED, note="check base_url and the network"),
            "9 not sent",
            (
                "; check the base URL (RESTREAM_BASE_URL or --base-url), the network, and the "
                "proxy if there is one"
            ),
        ),
    ],
)
def test_a_run_that_ends_by_itself_says_why_and_that_it_can_be_resumed(
    cli: Cli,
    file: Path,
    play: Callable[..., None],
    error: CallError,
    counted: str,
    remedy: str,
) -> None:
    play(1, error, error, error, error=error)
    end = cli("bulk", file)
    assert end.code == 2
    assert f"✗ 1 restream created, {counted}, in" in end.err
    told = str(error).removesuffix(remedy).removesuffix(f"; {error.note}")
    assert f"Error: {told}{remedy}\n" in end.err
    first = "lines 6 to 11" if "refused" in counted else "lines 3 to 11"
    assert f"not sent: {first} of {file}" in end.err
    correct = "correct what the service rejected, and " if "refused" in counted else ""
    assert f"To go on, {correct}run the same command again" in end.err
    assert len(outcomes(end.out)) == 4


def test_on_a_terminal_what_was_not_sent_is_only_counted(
    file: Path, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    play(2, NOT_SENT, IN_DOUBT, NOT_SENT)
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file)]) == 1
    shown = plain(screen())
    assert f"line 5 of {file} (video v4, Title 4) may or may not exist: lost\n" in shown
    assert shown.count("(video v4, Title 4)") == shown.count("(video v") == 1
    assert "7 not sent" in shown


def test_on_a_terminal_output_dash_shows_also_what_was_not_sent(
    file: Path, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(2, NOT_SENT, IN_DOUBT, NOT_SENT)
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file), "--output", "-"]) == 1
    assert screen().count('"outcome": "not_sent"') == 2


def test_a_single_one_that_was_not_sent(cli: Cli, file: Path, play: Callable[..., None]) -> None:
    play(COUNT - 1, NOT_SENT)
    end = cli("bulk", file, "--no-journal")
    assert f"1 restream was not sent: line 11 of {file}" in end.err
    assert "There is no journal. To go on, add --ensure" in end.err


BAD = BadRequestError(CALL, status=400, reason="Bad Request")
GONE = ApiError(CALL, status=502, reason="Bad Gateway")
IN_A_MOMENT = "run the same command again"
ENSURE = "There is no journal. To go on, add --ensure to the command: it checks"
CORRECT = "correct what the service rejected"


@pytest.mark.parametrize(
    ("created", "then", "options", "advice"),
    [
        (0, [BAD] * COUNT, [], f"To go on, {CORRECT}, and {IN_A_MOMENT}: what is done is not"),
        (0, [BAD] * COUNT, ["--no-journal"], f"To go on, {CORRECT}, and {IN_A_MOMENT}: nothing"),
        (3, [BAD] * 7, [], f"To go on, {CORRECT}, and {IN_A_MOMENT}: what is done is not sent"),
        (3, [BAD] * 7, ["--no-journal"], f"There is no journal. To go on, {CORRECT}, and add --e"),
        (3, [BAD], ["--no-journal"], f"There is no journal. To go on, {CORRECT}, and add --ensure"),
        (3, [BAD, GONE], ["--no-journal"], ENSURE),
        (0, [GONE] * COUNT, ["--no-journal"], f"To go on, {IN_A_MOMENT}: nothing was created."),
        (0, [NOT_SENT], ["--no-journal"], f"To go on, {IN_A_MOMENT}: nothing was created."),
        (0, [NOT_SENT, IN_DOUBT], ["--no-journal"], ENSURE),
        (3, [NOT_SENT], ["--no-journal"], ENSURE),
        (3, [NOT_SENT], ["--no-journal", "--ensure"], f"To go on, {IN_A_MOMENT}: --ensure checks"),
    ],
    ids=[
        "all rejected",
        "all rejected, no journal",
        "the rest rejected",
        "the rest rejected, no journal",
        "one rejected, others not sent, no journal",
        "not all rejected, no journal",
        "all failed, no journal",
        "nothing sent, no journal",
        "in doubt, no journal",
        "not sent, no journal",
        "not sent, no journal, ensure",
    ],
)
def test_the_advice_at_the_end_fits_what_happened(
    cli: Cli,
    file: Path,
    play: Callable[..., None],
    created: int,
    then: list[RestreamError],
    options: list[str],
    advice: str,
) -> None:
    play(created, *then)
    end = cli("bulk", file, *options)
    assert advice in end.err
    assert end.err.count("To go on") == 1


def test_a_journal_that_breaks_on_the_way_leaves_the_exit_code_at_1(
    cli: Cli, file: Path, play: Callable[..., None]
) -> None:
    error = JournalError("the journal is on a disk that is full")
    play(1, error, error=error)
    end = cli("bulk", file)
    assert end.code == 1
    assert "1 restream created, 9 not sent" in end.err
    assert f"9 restreams were not sent: lines 3 to 11 of {file}" in end.err


OUT: Final = Stats(
    in_flight=0,
    limit=1,
    waiting=0,
    attempts=9,
    retries=0,
    budget_left=0,
    state="open",
    last_error="connection refused",
    reached=False,
)


def show_stats(monkeypatch: pytest.MonkeyPatch, stats: Stats) -> None:
    def shown(_: RestreamClient) -> Stats:
        return stats

    monkeypatch.setattr(RestreamClient, "stats", shown)


def test_a_failure_at_the_end_of_a_run_is_not_called_an_outage(
    cli: Cli, file: Path, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_stats(monkeypatch, attrs.evolve(OUT, state="closed", reached=True))
    play(1, NOT_SENT)
    assert "connection refused" not in cli("bulk", file).err
    play(0, NOT_SENT)
    assert "no request to the service succeeds (connection refused)" in cli("bulk", file).err


def test_the_last_failure_of_the_service_is_told_at_the_end(
    cli: Cli, file: Path, play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(1, NOT_SENT)
    show_stats(monkeypatch, OUT)
    end = cli("bulk", file)
    assert end.code == 1
    assert (
        "Error: the service was never reached (connection refused): check the base URL" in end.err
    )
