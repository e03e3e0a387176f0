import re
from collections.abc import Iterator

import attrs
import pytest

from restream_async import NewRestream
from restream_async.cli.commands import demo as demo_module
from restream_async.cli.commands.demo import DESTINATIONS, Proof, invented
from restream_async.sandbox import Fault, Faults, Sandbox, Stored
from tests.helpers.command_line import Cli, at_once, interrupt_when


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "_QUICKEST", 0.0)
    monkeypatch.setattr(demo_module, "_SLOWEST", 0.001)


def no_secrets(text: str, count: int) -> bool:
    hidden = {secret for new in invented(count, 1) for secret in (new.stream_key, new.stream_url)}
    return not [secret for secret in ("sandbox-key", *hidden) if secret in text]


def test_every_restream_is_created_exactly_once_through_faults(cli: Cli) -> None:
    end = cli("demo", "--count", 100)
    assert (end.code, end.out) == (0, "")
    assert "Creating 100 restreams for 20 live videos" in end.err
    assert "it fails 5 % of the creations before it stores them, and 8 % after" in end.err
    assert "✓ 100 restreams created, in " in end.err
    assert re.search(r"failed on purpose \d+ times", end.err)
    assert end.err.index("✓ What the sandbox has stored") < end.err.index("100  exactly once")
    assert "  0  more than once\n" in end.err
    assert "  0  lost\n" in end.err
    assert re.search(r"sends again without checking would have created \d+ of them twice", end.err)
    assert no_secrets(end.err, 100)


def test_the_same_seed_meets_the_same_faults(cli: Cli) -> None:
    def faults(seed: int) -> str:
        text = cli("demo", "--count", 60, "--seed", seed).err
        return text[text.index("The sandbox failed") : text.index("What the sandbox")]

    assert faults(3) == faults(3)
    assert faults(3) != faults(4)


def test_the_restreams_are_of_many_videos_to_several_destinations() -> None:
    restreams = list(invented(1000, 1))
    assert len({new.video_id for new in restreams}) == 200
    assert {new.title for new in restreams} == {title for title, _ in DESTINATIONS}
    assert len({new.stream_key for new in restreams}) == 1000
    assert restreams == list(invented(1000, 1))
    assert restreams != list(invented(1000, 2))


def test_a_count_below_one_is_refused(cli: Cli) -> None:
    assert cli("demo", "--count", 0).code == 2


def stored(restreams: list[NewRestream]) -> Iterator[Stored]:
    for number, new in enumerate(restreams):
        yield Stored(id=number, **attrs.asdict(new))


def test_the_proof_finds_what_is_lost_and_what_is_there_twice() -> None:
    wanted = list(invented(5, 1))
    assert Proof.of(stored(wanted), wanted) == Proof(once=5, twice=0, lost=0)
    proof = Proof.of(stored([*wanted[1:], wanted[2], wanted[3], wanted[3]]), wanted)
    assert proof == Proof(once=2, twice=2, lost=1)
    assert not proof.holds


def test_a_restream_that_is_there_twice_is_found_and_fails_the_demo(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Faults(late=0.2, late_by=0.4, listing={Fault.INTERNAL_ERROR: 0.05}, retry_after=None)
    monkeypatch.setattr(Faults, "demo", lambda: late)
    monkeypatch.setattr("restream_async._bulk.reconciliation.LATE_COMMIT_WAIT", 0.5)
    end = cli("demo", "--count", 40)
    assert end.code == 1
    assert "✗ What the sandbox has stored" in end.err
    assert "creations stored late, or lists that failed" in end.err
    assert re.search(r"Error: item \d+ \(video live-\d+\) exists more than once: ids", end.err)
    assert "would have created" not in end.err
    assert no_secrets(end.err, 40)


def test_what_the_client_calls_created_alone_is_no_proof(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sandbox, "stored", ())
    end = cli("demo", "--count", 10)
    assert end.code == 1
    assert "10  lost" in end.err


def test_failures_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Faults, "demo", lambda: Faults(before={Fault.INTERNAL_ERROR: 1.0}))
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    end = cli("demo", "--count", 5)
    assert end.code == 1
    assert "✗ 5 restreams failed" in end.err
    assert "5  InternalServerError, such as: 500" in end.err


def test_ctrl_c_ends_it_with_what_was_done(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "_SLOWEST", 0.2)
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.01)

    with interrupt_when(lambda: "in flight" in cli.err_file.read_text()):
        end = cli("demo", "--count", 3000)
    assert end.code == 130
    assert "Stopping: requests in flight are finished first" in end.err
    assert re.search(r"✗ [\d,]+ restreams created, [\d,]+ not sent", end.err)
    assert "        0  lost" in end.err, "they were not sent"
