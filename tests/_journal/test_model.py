"""Any order of faults, cancellations, crashes and resumes: stored exactly once, or told.

A machine runs the same few creations again and again with one journal, through a service that
fails as it is told, and lets each run come to one of the ends that a run can come to. What the
service has is compared with what the runs have said.
"""

import asyncio
import enum
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from restream_async import NewRestream, NotSentError, Outcome, OutcomeUnknownError
from restream_async._bulk.repeats import Repeats
from restream_async._bulk.report import BulkReport
from restream_async._bulk.run import BulkRun
from restream_async._operations.create_options import CHECK_FIRST
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async.models import Created, Failed
from restream_async.settings import InDoubt
from tests.helpers.in_memory_service import Backend, Fate, InMemoryClient, in_memory_client, new
from tests.helpers.journal_disk import copy_of, files_of
from tests.helpers.journal_fixtures import IN_MEMORY

KEYS = "abc"
"""Each is a video of its own, so that faults of its listing are its own too."""
POSTS = [
    Fate.DONE,
    Fate.LOST_BEFORE,
    Fate.LOST_AFTER,
    Fate.REFUSED,
    Fate.TURNED_AWAY,
    Fate.UNSENT,
]


class Ending(enum.Enum):
    """How a run ends."""

    FINISH = "finish"
    STOP = "stop"
    """`run.stop()`."""
    LEAVE = "leave"
    """The block is left early."""
    CANCEL = "cancel"
    """The task is cancelled."""
    CRASH = "crash"
    """Nothing more is done or written; requests that have arrived may still be served."""


@attrs.frozen(kw_only=True)
class Plan:
    """What a run meets."""

    ending: Ending
    moment: int
    """After so many events it ends."""
    served: bool
    """Whether what was on its way at a crash or a cancellation is served."""
    in_doubt: InDoubt
    ensure: bool
    posts: list[Fate]
    blind: bool
    """Whether listing fails, too."""


plans = st.builds(
    Plan,
    ending=st.sampled_from(Ending),
    moment=st.integers(1, 40),
    served=st.booleans(),
    in_doubt=st.sampled_from(["confirm", "confirm", "raise", "resend"]),
    ensure=st.booleans(),
    posts=st.lists(st.sampled_from(POSTS), max_size=8),
    blind=st.booleans().flatmap(lambda often: st.booleans() if often else st.just(value=False)),
)
inputs = st.lists(st.sampled_from(KEYS), min_size=1, max_size=6)


def wanted(key: str) -> NewRestream:
    return new(key, video=key)


def is_created(outcome: Outcome) -> bool:
    return isinstance(outcome, Created)


def key_in(outcome: Outcome) -> str:
    return outcome.request.video_id


class AtOnce(Executor):
    """In place of the journal's thread: the same moments in every run of the same plan."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take what a pool of threads takes."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - handed on
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on
            future.set_exception(error)
        return future


class Machine(RuleBasedStateMachine):
    """Runs, and what they have said."""

    repeats: Repeats = "existing"

    def __init__(self) -> None:
        super().__init__()
        self.patch = mock.patch("restream_async._journal.journal.ThreadPoolExecutor", AtOnce)
        self.patch.start()
        self.loop = asyncio.Runner()
        folder = IN_MEMORY if IN_MEMORY.is_dir() else None
        self.folder = tempfile.TemporaryDirectory(dir=folder)
        self.path = Path(self.folder.name) / "run.db"
        self.backend = Backend()
        # Keys for which a resend without a check was possible, so that there may be two.
        self.unsure: set[str] = set()
        # Of which keys that was told.
        self.told: set[str] = set()
        self.most: Counter[str] = Counter()

    def teardown(self) -> None:
        try:
            self.all_is_well_in_the_end()
        finally:
            self.loop.close()
            self.folder.cleanup()
            self.patch.stop()

    @initialize(keys=inputs)
    def other_restreams_are_there(self, keys: list[str]) -> None:
        for key in keys:
            self.backend.add(new("other", video=key))

    @rule(keys=inputs, plan=plans)
    def run(self, keys: list[str], plan: Plan) -> None:
        self.most |= Counter(keys)
        self.meet(keys, plan)
        client = in_memory_client(self.backend, in_doubt=plan.in_doubt, limit=3)
        before = {key: self.backend.ids_of(wanted(key)) for key in keys}
        outcomes, report = self.loop.run(self.course(client, keys, plan))
        assert client.executor.limiter.in_flight == client.executor.limiter.waiting == 0
        self.told |= {key_in(item) for item in outcomes if getattr(item, "maybe_duplicate", False)}
        unseen = self.unseen(keys, plan, finished=report is not None)
        self.check_outcomes(outcomes, before, but=unseen)
        if report is not None:
            assert sorted(item.index for item in outcomes) == list(range(len(outcomes)))
            assert plan.ending is Ending.STOP or len(outcomes) == len(keys)
            self.check_duplicates(outcomes, report)
        self.check_copies()

    @rule(key=st.sampled_from(["x", "y"]), plan=plans, times=st.integers(1, 3))
    def ensure(self, key: str, plan: Plan, times: int) -> None:
        """What events that are delivered several times call, without a journal."""
        self.most[key] = 1
        self.meet([key], plan)
        client = in_memory_client(self.backend, in_doubt=plan.in_doubt, limit=3)
        ends = self.loop.run(self.ensured(client, key, plan, times))
        assert client.executor.limiter.in_flight == client.executor.limiter.waiting == 0
        for end in ends:
            if isinstance(end, CreateSucceeded):
                assert end.restream.id in self.backend.ids_of(wanted(key))
            blind = isinstance(end, CreateSucceeded) and end.maybe_duplicate
            if blind or (isinstance(end, CreateFailed) and plan.in_doubt == "resend"):
                self.told.add(key)
        if plan.ending is not Ending.CANCEL and len(self.backend.ids_of(wanted(key))) > 1:
            assert key in self.told
        self.check_copies()

    def meet(self, keys: list[str], plan: Plan) -> None:
        self.backend.fates.clear()
        self.backend.meets("POST", *plan.posts)
        if plan.blind:
            self.backend.meets("GET", *[Fate.LOST_BEFORE] * 100)
        if plan.in_doubt == "resend" or (plan.blind and plan.in_doubt == "confirm"):
            self.unsure |= set(keys)

    async def course(
        self, client: InMemoryClient, keys: list[str], plan: Plan
    ) -> tuple[list[Outcome], BulkReport | None]:
        """Run to the end that is planned; return what was said, and the report if it finished."""
        outcomes: list[Outcome] = []
        run = client.run(
            *map(wanted, keys), journal=self.path, ensure=plan.ensure, repeats=self.repeats
        )
        task = asyncio.create_task(self.consume(run, outcomes, plan))
        events = 0
        left: Path | None = None

        def event(_: str) -> None:
            nonlocal events, left
            events += 1
            if events != plan.moment:
                return
            if plan.ending is Ending.STOP:
                run.stop()
            if plan.ending in {Ending.CANCEL, Ending.CRASH}:
                self.backend.abandon(served=plan.served)
                left = copy_of(self.path) if plan.ending is Ending.CRASH else None
                task.cancel()

        self.backend.watch = self.backend.watch_answer = event
        try:
            report = await task
        except asyncio.CancelledError:
            report = None
        self.backend.watch = self.backend.watch_answer = lambda _: None
        # What was in progress when the block was left comes now or never: nothing here is late.
        self.backend.abandon(served=plan.served)
        if left is not None:
            for file in files_of(self.path):
                if file.is_file():
                    file.unlink()
            for file in files_of(left):
                shutil.copy(file, self.path.parent)
        return outcomes, report

    async def consume(self, run: BulkRun, outcomes: list[Outcome], plan: Plan) -> BulkReport | None:
        async with run:
            async for outcome in run:
                outcomes.append(outcome)
                self.check_outcome(outcome)
                if plan.ending is Ending.LEAVE and len(outcomes) * 4 > plan.moment:
                    return None
            return await run.report()

    async def ensured(
        self, client: InMemoryClient, key: str, plan: Plan, times: int
    ) -> list[object]:
        events = 0

        def event(_: str) -> None:
            nonlocal events
            events += 1
            if plan.ending is Ending.CANCEL and events == plan.moment:
                self.backend.abandon(served=plan.served)
                for task in tasks:
                    task.cancel()

        self.backend.watch = self.backend.watch_answer = event
        create = client.creator.create
        until = client.executor.begin_call()
        tasks = [asyncio.create_task(create(wanted(key), until, CHECK_FIRST)) for _ in range(times)]
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        self.backend.watch = self.backend.watch_answer = lambda _: None
        return list(ends)

    def check_outcome(self, outcome: Outcome) -> None:
        """Whatever is called created is there at that moment."""
        if isinstance(outcome, Created):
            assert outcome.restream.id in self.backend.ids_of(outcome.request)

    def unseen(self, keys: list[str], plan: Plan, *, finished: bool) -> set[str]:
        """Return of which keys no one can say that they are not there."""
        several = {key for key, times in Counter(keys).items() if times > 1}
        if plan.blind:
            # A check before the first attempt that fails sends nothing and knows nothing.
            return set(keys) if plan.ensure else several
        # The repeat of one that failed may be created, and not have been able to say so.
        return set() if finished else several

    def check_outcomes(
        self, outcomes: list[Outcome], before: dict[str, list[int | str]], *, but: set[str]
    ) -> None:
        """Whatever is called failed is not there, unless that is said to be unknown.

        What was not sent is there only if it was there before the run.
        """
        if self.repeats == "create":
            return  # It is there as often as others were created.
        excused = but | self.unsure | {key_in(item) for item in outcomes if is_created(item)}
        for item in outcomes:
            if key_in(item) in excused or not isinstance(item, Failed):
                continue
            there = self.backend.ids_of(item.request)
            if isinstance(item.error, NotSentError):
                assert there == before[key_in(item)]
            elif not isinstance(item.error, OutcomeUnknownError):
                assert there == []

    def check_duplicates(self, outcomes: list[Outcome], report: BulkReport) -> None:
        """Extra copies have been told of, by now."""
        self.told |= {item.video_id for item in report.duplicates}
        if report.unchecked:
            return
        for key, times in Counter(map(key_in, outcomes)).items():
            # Whoever asks for fewer than before is told nothing of the others.
            if times >= self.allowed(key) < len(self.backend.ids_of(wanted(key))):
                assert key in self.told

    def allowed(self, key: str) -> int:
        return self.most[key] if self.repeats == "create" else 1

    def check_copies(self) -> None:
        """Nothing is there more often than it was asked for, where it could be looked for."""
        for key in self.most.keys() - self.unsure:
            assert len(self.backend.ids_of(wanted(key))) <= self.allowed(key)

    def all_is_well_in_the_end(self) -> None:
        """A last run without faults brings everything to exactly one restream."""
        keys = [key for key in KEYS for _ in range(self.most[key])]
        if not keys:
            return
        self.backend.fates.clear()
        client = in_memory_client(self.backend, limit=3)
        plan = Plan(
            ending=Ending.FINISH,
            moment=0,
            served=False,
            in_doubt="confirm",
            ensure=False,
            posts=[],
            blind=False,
        )
        outcomes, report = self.loop.run(self.course(client, keys, plan))
        assert report is not None
        assert [item for item in outcomes if isinstance(item, Failed)] == []
        self.check_duplicates(outcomes, report)
        self.check_copies()


class RepeatsMachine(Machine):
    """The same, where each repeat in the input is a restream of its own."""

    repeats = "create"


QUICK = settings(
    max_examples=100,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

TestMachine = Machine.TestCase
TestMachine.settings = QUICK
TestRepeatsMachine = RepeatsMachine.TestCase
TestRepeatsMachine.settings = QUICK
