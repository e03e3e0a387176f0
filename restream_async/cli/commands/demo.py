"""Private: `demo` creates restreams in a failing sandbox, and proves that each exists once."""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console
from rich.text import Text

from restream_async import NewRestream, RestreamClient, RetryPolicy
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.html_report.contents import MOST_PLACES, Contents, creations
from restream_async.cli.html_report.run_report import Report, ReportPath, report_at
from restream_async.cli.input.line_numbers import LineNumbers
from restream_async.cli.output.console import console_on, plural, say, say_error
from restream_async.cli.output.progress_display import display_on
from restream_async.cli.output.run_result import RunResult
from restream_async.cli.output.run_summary import Count, complaints, counted, success_mark, summary
from restream_async.cli.run_with_progress import run_with_progress
from restream_async.sandbox import Fault, FaultCounts, Faults, Sandbox, Stored

DESTINATIONS: Final = (
    ("YouTube", "rtmps://a.rtmps.youtube.com:443/live2"),
    ("Twitch", "rtmp://live.twitch.tv/app"),
    ("Facebook", "rtmps://live-api-s.facebook.com:443/rtmp"),
    ("Own RTMP server", "rtmp://media.example.com/live"),
    ("Own SRT backup", "srt://backup.example.com:9000"),
)

# Seconds until the sandbox answers: slow enough to watch, fast enough to wait for.
_QUICKEST: Final = 0.03
_SLOWEST: Final = 0.25
# The sandbox fails no creation more than three times in a row.
_RETRY: Final = RetryPolicy(attempts=8, base=0.05, cap=1.0, deadline=60.0)

_FAULT_NAMES: Final = {
    Fault.INTERNAL_ERROR: "500 Internal Server Error",
    Fault.BACKEND_FETCH_FAILED: "503 Backend fetch failed",
    Fault.RESET: "connection reset",
    Fault.TRUNCATED: "answer cut off",
    Fault.GARBAGE: "answer garbled",
    Fault.HANG: "no answer",
}


def demo(
    *,
    count: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many restreams to create.")
    ] = 1000,
    seed: Annotated[
        int,
        typer.Option(
            help="Decides which creations fail, and how. The same seed brings the same faults."
        ),
    ] = 1,
    report: ReportPath = None,
) -> None:
    """Watch a thousand restreams being created through faults. Needs no account.

    Starts a sandbox of the service inside this process and creates restreams in it while it
    fails, on purpose, about one creation in eight. Then counts what the sandbox has stored. Nothing
    is sent to other machines.
    """
    code = run_async(
        _demo(console_on(sys.stderr), count=count, seed=seed, report=report_at(report))
    )
    raise typer.Exit(code)


async def _demo(console: Console, *, count: int, seed: int, report: Report) -> int:
    faults = Faults.demo()
    async with (
        Sandbox(faults=faults, seed=seed, latency=_latency, list_latency=_QUICKEST) as sandbox,
        RestreamClient(
            base_url=sandbox.base_url,
            project_id=sandbox.project_id,
            api_key=sandbox.api_key,
            # Overrides RESTREAM_AUTH_SCHEME, which is for the real service.
            auth_scheme="Bearer",
            retry=_RETRY,
            telemetry=report.telemetry,
        ) as client,
    ):
        say(console, _introduction(faults, sandbox.base_url, count))
        result = await run_with_progress(
            client,
            client.create_many(invented(count, seed)),
            total=count,
            display=display_on(console),
            report=report,
        )
        await sandbox.settle()
        stored, fault_counts = sandbox.stored, sandbox.counts.faults
    unsent = {index for first, last in result.not_sent for index in range(first, last + 1)}
    sent = (new for index, new in enumerate(invented(count, seed)) if index not in unsent)
    proof = Proof.of(stored, sent)
    say(console, _report(result, proof, fault_counts))
    for sentence in complaints(result, _place):
        say_error(sentence)
    has_report = report.finish(console, lambda: _contents(result, report))
    if result.signal_code is not None:
        return result.signal_code
    is_done = result.succeeded and proof.holds and has_report
    return ExitCode.DONE if is_done else ExitCode.FAILED


def invented(count: int, seed: int) -> Iterator[NewRestream]:
    """Yield invented restreams: each video goes to every destination. One seed, the same ones."""
    keys = random.Random(seed)  # noqa: S311 - these stream keys open nothing
    for number in range(count):
        video, destination = divmod(number, len(DESTINATIONS))
        title, url = DESTINATIONS[destination]
        yield NewRestream(
            video_id=f"live-{video + 1:04}",
            title=title,
            stream_url=url,
            stream_key=f"{keys.getrandbits(64):016x}",
            status=True,
        )


@attrs.frozen(kw_only=True)
class Proof:
    """What a sandbox has stored, compared with what was sent.

    Attributes:
        once: how many exist exactly once.
        twice: how many exist more than once.
        lost: how many do not exist.

    """

    once: int
    twice: int
    lost: int

    @classmethod
    def of(cls, stored: Iterable[Stored], wanted: Iterable[NewRestream]) -> "Proof":
        """Count the copies of each restream."""
        found = Counter((each.video_id, each.stream_url, each.stream_key) for each in stored)
        copies = Counter(found[new.video_id, new.stream_url, new.stream_key] for new in wanted)
        return cls(once=copies[1], twice=copies.total() - copies[0] - copies[1], lost=copies[0])

    @property
    def holds(self) -> bool:
        """Whether each restream exists exactly once."""
        return not self.twice and not self.lost


def _place(index: int) -> str:
    return f"item {index + 1:,}"


def _contents(result: RunResult, report: Report) -> Contents:
    items = LineNumbers(range(1, result.total + 1))
    return creations(
        "Demo",
        result,
        report.failed_items,
        place=_place,
        places=lambda spans: items.describe(spans, most=MOST_PLACES, what="item"),
    )


def _latency(generator: random.Random) -> float:
    return generator.uniform(_QUICKEST, _SLOWEST)


def _introduction(faults: Faults, base_url: str, count: int) -> Text:
    videos = -(-count // len(DESTINATIONS))
    before, after = (
        f"{100 * sum(kinds.values()):.0f} %" for kinds in (faults.before, faults.after)
    )
    return Text.assemble(
        (f"Creating {plural(count, 'restream')} for {plural(videos, 'live video')}", "bold"),
        f" in a sandbox of the service inside this process, {base_url}.\n"
        f"On purpose, it fails {before} of the creations before it stores them, and {after} after "
        "it has stored them, so that only its answer is lost.\n",
    )


def _report(result: RunResult, proof: Proof, faults: FaultCounts) -> Text:
    parts = [summary(result)]
    parts.append(Text(f"\nThe sandbox failed on purpose {plural(faults.total, 'time')}:", "bold"))
    parts.append(counted(_kinds(faults)))
    head = success_mark(success=proof.holds).append(
        "What the sandbox has stored, by its own count:"
    )
    head.stylize("bold")
    parts += [Text(), head, counted(_proven(proof))]
    if proof.holds and result.counts.confirmed:
        parts.append(
            Text(
                f"\nA client that sends again without checking would have created "
                f"{result.counts.confirmed:,} of them twice.",
                "italic",
            )
        )
    return Text("\n").join(parts)


def _kinds(faults: FaultCounts) -> Iterator[Count]:
    for fault, name in _FAULT_NAMES.items():
        before, after = faults.before.get(fault, 0), faults.after.get(fault, 0)
        if before or after:
            yield before + after, f"{name} ({before:,} before storing, {after:,} after)"
    others = faults.total - sum(faults.before.values()) - sum(faults.after.values())
    if others:
        yield others, "creations stored late, or lists that failed"


def _proven(proof: Proof) -> Iterator[Count]:
    yield proof.once, "exactly once"
    yield proof.twice, "more than once"
    yield proof.lost, "lost"
