"""`RestreamClient`: creates, lists, toggles and deletes restreams over one session."""

import builtins
import os
from collections.abc import AsyncIterable, Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from restream_async._bulk.journal_adapter import JournalAdapter
from restream_async._bulk.repeats import Repeats
from restream_async._bulk.report import BulkReport
from restream_async._bulk.run import BulkRun
from restream_async._bulk.undo import Undo
from restream_async._field_checks import CHECKS
from restream_async._http.api import Api
from restream_async._http.messages import Request
from restream_async._http.request_options import Tls
from restream_async._http.transport import Transport
from restream_async._journal.entries import Identity
from restream_async._journal.journal import Journal
from restream_async._operations.create import Creator
from restream_async._operations.create_options import (
    CHECK_FIRST,
    CHECK_RECENTLY,
    PLAIN,
    CreateOptions,
)
from restream_async._operations.create_result import (
    CreateFailed,
    CreateSucceeded,
    outcome_of,
    restream_or_raise,
)
from restream_async._operations.delete import delete
from restream_async._operations.draining import CallsInProgress
from restream_async._operations.listing import Listing
from restream_async._operations.set_status import StatusSetter
from restream_async._operations.toggle import toggle
from restream_async._retry.classification import value_or_raise
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.policy import RetryPolicy
from restream_async._telemetry import Telemetry, default_telemetry
from restream_async._util.clock import Clock
from restream_async._util.holds_key import HoldsKey
from restream_async._util.tasks import run_to_completion
from restream_async._wanted_state.run import WantedStateRun
from restream_async._wanted_state.video_apply import ApplyOptions, VideoApply
from restream_async._wanted_state.video_plan import VideoPlan
from restream_async.errors import Call, ConfigurationError, InvalidRestreamError
from restream_async.models import NewRestream, Outcome, Restream, Toggled
from restream_async.settings import InDoubt, Settings, check_limits
from restream_async.stats import Stats

_T = TypeVar("_T")


class RestreamClient(HoldsKey):
    """Creates restreams, and lists, toggles and deletes them.

    Use it as an async context manager, or call `close` at the end. All tasks of an event loop may
    share one client, with its connections and its concurrency limit. A client belongs to the event
    loop in which it is first used, or to that of its `session`: make another client for another
    `asyncio.run`, thread or process.

    Each method raises, besides the errors that it names:

    - `UnauthorizedError`, `ForbiddenError`, `NotFoundError`, `BadRequestError`, or `ApiError` for
      another refusal, `CertificateError`, and `ProxyError`: at once;
    - `TooManyRequestsError`, `InternalServerError`, `BackendFetchFailedError`, `TransportError`,
      `AttemptTimeoutError`, `MalformedResponseError`, or `ApiError` for 408, 425, 502 and 504:
      after the retries that the policy allows;
    - `OutageError`: the service is out, and still is at the deadline of the call;
    - `ClientClosedError`, a `RuntimeError`: the client, or the session it was given, is closed, the
      client is draining, or it belongs to another event loop. A creation that was in doubt then
      raises `OutcomeUnknownError`;
    - `NotSentError`: the client was drained, and the request was not sent in time.

    For a graceful shutdown, call `drain` before `close`. Cancelling a call ends it at once. A
    request that was sent may still take effect: see `create`.
    """

    _transport_type: Callable[..., Transport] = Transport
    """What sends the requests; a test double has its own."""

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        *,
        base_url: str | None = None,
        project_id: str | None = None,
        api_key: str | None = None,
        auth_scheme: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        in_doubt: InDoubt = "confirm",
        max_in_flight: int = 64,
        patience: float = 300.0,
        session: aiohttp.ClientSession | None = None,
        proxy: str | URL | None = None,
        trust_env: bool = False,
        ssl: Tls | None = None,
        allow_http: bool = False,
        telemetry: Telemetry | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the settings; nothing is sent yet.

        Args:
            base_url: the URL of the service, without `/api/v1`. Default: RESTREAM_BASE_URL.
            project_id: the project that owns the restreams. Default: RESTREAM_PROJECT_ID.
            api_key: the secret of the project. Default: RESTREAM_API_KEY.
            auth_scheme: a word before the key in the `Authorization` header, such as "Bearer".
                Default: RESTREAM_AUTH_SCHEME; without it, the header holds only the key. The
                service's documentation does not say which form it expects.
            timeout: seconds for one attempt. Waiting for a slot does not count.
            retry: how often and for how long a call is tried; None for `RetryPolicy()`.
            in_doubt: what to do after an attempt that may have taken effect. "confirm" checks
                whether the restream exists before it sends again; if the check fails after its
                retries, it sends again and sets `maybe_duplicate` on the outcome. "raise" checks
                too, but raises `OutcomeUnknownError` if the check fails. "resend" never checks, and
                can create a restream twice.
            max_in_flight: the most requests in flight, over all calls of this client. The client
                starts at this limit (at 64 at most), and adapts it to the answers of the service.
            patience: the outage timeout: seconds that a bulk run waits in an outage before it fails
                its remaining items with `OutageError`. A single call waits until its own deadline.
                If the service was never reached, both fail after at most 30 seconds.
            session: your own aiohttp session. The client does not close it.
            proxy: a forward proxy for all requests, such as
                "http://user:password@proxy.example.com:3128". The user and the password are
                percent-encoded.
            trust_env: if `proxy` is None, use the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY
                names, unless NO_PROXY names the service's host. The variables are read once. They
                are ignored for a service on this machine.
            ssl: which certificates to trust, as in aiohttp: an `ssl.SSLContext` or an
                `aiohttp.Fingerprint`. False trusts every certificate, so others on the network can
                read the API key. None and True trust those of `session`, or without a session
                those of the system. SSL_CERT_FILE names other authorities.
            allow_http: permit plain http:// to other machines.
            telemetry: a `restream_async.telemetry.OpenTelemetry`, which reports traces and metrics.
                By default the client uses OpenTelemetry if the application has set up its SDK
                before it makes the client. `Telemetry()` of the same module reports nothing.
            clock: time, sleep and random numbers, for tests.

        Raises:
            ConfigurationError: a value is missing or malformed; says which and how to set it.

        """
        settings = Settings.resolve(
            base_url=base_url,
            project_id=project_id,
            api_key=api_key,
            auth_scheme=auth_scheme,
            allow_http=allow_http,
            proxy=proxy,
            trust_env=trust_env,
        )
        in_doubt = check_limits(
            timeout=timeout, patience=patience, max_in_flight=max_in_flight, in_doubt=in_doubt
        )
        retry = _checked(RetryPolicy, "retry", retry)
        clock = _checked(Clock, "clock", clock)
        telemetry = default_telemetry() if telemetry is None else telemetry
        _checked(Telemetry, "telemetry", telemetry)
        self._settings = settings
        self._api = Api(settings.project_id)
        self._transport = self._transport_type(
            settings.base_url,
            settings.authorization,
            limit=max_in_flight,
            session=session,
            tls=ssl,
            proxy=settings.proxy,
        )
        self._executor = RequestExecutor.adaptive(
            self._transport,
            ceiling=self._transport.pool_size,
            patience=patience,
            policy=retry,
            clock=clock,
            timeout=timeout,
            secrets=settings.secrets,
            telemetry=telemetry.for_client(*settings.address),
        )
        self._creator = Creator(self._executor, self._api, in_doubt)
        listing = Listing(self._executor, self._api, uncached=True)
        self._statuses = StatusSetter(self._executor, self._api, listing)
        self._calls_in_progress = CallsInProgress(self._executor, self._transport.loop)
        self._executor.telemetry.observe(self.stats)

    def __repr__(self) -> str:
        """Return the address and the project, without the key."""
        settings: Settings | None = getattr(self, "_settings", None)
        if settings is None:
            # A debugger may show an object whose constructor has raised an error.
            return "RestreamClient(not made)"
        where = f"base_url={settings.base_url!r}, project_id={settings.project_id!r}"
        return f"RestreamClient({where})"

    async def __aenter__(self) -> Self:
        """Return the client; the session is opened by the first request.

        Raises:
            ClientClosedError: the client belongs to another event loop.

        """
        self._claim("enter")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def drain(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - calls are stopped gracefully, not cancelled
        """Accept no new calls, and wait until all calls have ended.

        A new call raises `ClientClosedError`, and bulk runs stop reading their input. Close the
        client afterwards, for example by leaving its block.

        Args:
            timeout: seconds that running calls may take. In an outage they get no time. Calls that
                then wait for a retry, a slot or the end of an outage end at once, with
                `NotSentError`, or with `OutcomeUnknownError` if they may have taken effect.
                Requests that were sent get 5 more seconds. `close` ends the rest, with
                `OutcomeUnknownError`.

        Raises:
            ClientClosedError: the client belongs to another event loop: drain it there.

        """
        self._claim("drain")
        await self._calls_in_progress.drain(timeout)

    async def close(self) -> None:
        """Close the connections. Your own `session` stays open.

        Running requests end at once. A call that waits for its next retry ends after that wait. To
        let calls finish, call `drain` before. Cancelling `close` does not interrupt it.

        Raises:
            ClientClosedError: the client belongs to another event loop: close it there.

        """
        self._claim("close")
        await run_to_completion(self._close)

    async def _close(self) -> None:
        self._executor.telemetry.close()
        await self._transport.close()
        # Calls that wait for a slot get it, and find the client closed.
        await self._executor.limiter.close()

    async def create(self, new: NewRestream) -> Restream:
        """Create a restream, and return it as the service has it.

        After an attempt that may have taken effect, the client checks whether the restream exists
        before it sends again, and returns it if it does.

        After a cancellation (`task.cancel()`, `asyncio.timeout`, a server whose caller hangs up)
        the restream may exist: the request may have been sent. Call `ensure` with the same restream
        to create it if it does not exist. A bulk run with a journal checks it when it is run again.

        Raises:
            OutcomeUnknownError: an attempt may have taken effect, and the check failed as well.

        """
        return restream_or_raise(await self._create(new))

    async def ensure(self, new: NewRestream) -> Restream:
        """Return the restream if it exists, else create it.

        Use it if an event may be delivered twice. A restream is the same if it has the same video
        id, stream URL and stream key. Its title and its status may be others than wanted: compare
        them, and set the status with `set_status`. After a cancellation the restream may have been
        created: call `ensure` again.

        Raises:
            OutcomeUnknownError: an attempt may have taken effect, and the check failed as well.

        """
        return restream_or_raise(await self._create(new, CHECK_FIRST))

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        """Create a restream, and return the outcome: `Created` or `Failed`, with index 0.

        For workers and queues, which report the outcome. Errors of the call are returned, not
        raised. A cancellation is raised; the restream may then exist, as with `create`.

        Args:
            new: the restream.
            ensure: check first, and create the restream only if it does not exist.
            recent: with `ensure`, accept a list of the video that this client requested within the
                last second. This saves most list calls if one video has many restreams. Use it only
                if no program has tried to create the restream before.

        """
        options = (CHECK_RECENTLY if recent else CHECK_FIRST) if ensure else PLAIN
        return outcome_of(await self._create(new, options), 0, new)

    async def _create(
        self, new: NewRestream, options: CreateOptions = PLAIN
    ) -> CreateSucceeded | CreateFailed:
        calls = self._calls_in_progress
        if not calls.accepts():
            return CreateFailed(error=calls.refusal(self._api.create(new).call), attempts=0)
        with calls as deadline:
            return await self._creator.create(new, deadline, options)

    async def list(self, video_id: str) -> builtins.list[Restream]:
        """Return the restreams of one live video, in the service's order.

        Raises:
            InvalidRestreamError: the id is empty or cannot be a part of a path.

        """
        with self._accepted(self._api.list(video_id)) as deadline:
            return value_or_raise(await self._creator.listing.read(video_id, deadline))

    async def toggle(self, restream_id: int | str) -> Toggled:
        """Turn a restream on if it is off, and off if it is on; return its new status.

        To turn it on, or to turn it off, use `set_status`.

        A second toggle undoes the first. So the client sends it again only if the first certainly
        took no effect; any other failure is raised at once, and says that the effect is unknown. A
        cache in between may still repeat it: Varnish resends a request without a body when a
        kept-alive connection to its backend turns out to be closed.

        Raises:
            InvalidRestreamError: the id is empty or cannot be a part of a path.

        """
        with self._accepted(self._api.toggle(restream_id)) as deadline:
            return value_or_raise(await toggle(self._executor, self._api, restream_id, deadline))

    async def set_status(self, restream: Restream, on: bool) -> Restream:  # noqa: FBT001 - the word says it
        """Turn a restream on or off, and return it as the service then lists it.

        Safe to repeat. The client lists the video, and toggles the restream only if its status
        differs. It then always lists the video again, because a cache may have sent the toggle
        twice. After an attempt that may have taken effect it first waits, and it toggles again only
        if the list still shows the old status. Calls for one video take turns, so two at the same
        time toggle once.

        If the service works on a toggle only after the last list, or if another program toggles the
        restream too, the status may change afterwards.

        Args:
            restream: the restream; only its `id` and its `video_id` matter.
            on: true to turn it on, false to turn it off.

        Raises:
            NotFoundError: the list of the video does not show the restream.
            OutcomeUnknownError: a toggle was sent, and the list after it failed.
            InvalidRestreamError: the restream has no id or no video id that can be a part of a
                path, or `on` is not a boolean.

        """
        if problem := CHECKS["status"](on):
            raise InvalidRestreamError("status", problem)
        restream_id = restream.id
        with self._accepted(self._api.toggle(restream_id)) as deadline:
            setting = self._statuses.set_one(restream.video_id, restream_id, deadline, on=on)
            return value_or_raise(await setting)

    async def delete(self, restream_id: int | str) -> bool:
        """Delete a restream; return whether the service says that it deleted it.

        A second deletion does no harm, so the request is retried. If a retry after a lost answer
        finds nothing, the earlier request did the work, and the result is true.

        Raises:
            InvalidRestreamError: the id is empty or cannot be a part of a path.

        """
        with self._accepted(self._api.delete(restream_id)) as deadline:
            return value_or_raise(await delete(self._executor, self._api, restream_id, deadline))

    def _accepted(self, request: Request) -> CallsInProgress:
        if not self._calls_in_progress.accepts():
            raise self._calls_in_progress.refusal(request.call)
        return self._calls_in_progress

    def _claim(self, what: str) -> None:
        """Check that the running event loop is that of the client, and claim it at first use."""
        if not self._calls_in_progress.in_own_loop():
            raise self._calls_in_progress.refusal(Call(what, "the client"))

    def stats(self) -> Stats:
        """Return what this client is doing now."""
        executor = self._executor
        last = executor.limiter.last
        return Stats(
            in_flight=executor.limiter.in_flight,
            limit=executor.limiter.limit,
            waiting=executor.limiter.waiting,
            attempts=executor.counts.attempts,
            retries=executor.counts.retries,
            budget_left=executor.budget.available,
            state=executor.limiter.state,
            forms=self._creator.existence.forms,
            last_error=last.summary if last is not None else "",
            reached=executor.limiter.reached,
        )

    def create_many(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        journal: str | os.PathLike[str] | None = None,
        repair: bool = False,
        ensure: bool = False,
        repeats: Repeats = "existing",
    ) -> BulkRun:
        """Create many restreams, and stream the outcomes as they finish.

        Use it as an async context manager and iterate over it:

            async with client.create_many(requests, journal="run.db") as run:
                async for outcome in run:
                    ...

        Args:
            requests: the restreams to create. The input may be endless: it is read only when there
                is room, and memory stays bounded.
            journal: a file that makes the run resumable. After any end, `kill -9` included, run
                again with the same input: items that are done are reported at once, items that had
                begun are checked first, and failed items are tried again. The file holds no stream
                key, no stream URL and no API key.
            repair: at the end of the run, delete the extra copies that this run made. There is one
                if the service stores a restream only after the check before a resend. A copy is
                deleted only if that check found none, and if there are no more copies than attempts
                in doubt. All other copies are only reported. Set it only if no other program
                creates the same restreams meanwhile.
            ensure: check whether each restream exists before creating it, also if the journal says
                that it is done.
            repeats: what to do if the input names a restream (video id, stream URL and stream key)
                twice. "existing" checks it, and reports it as existing. "create"
                creates it once more; the client remembers the ids that it created until it is
                closed. Without a journal, the client remembers the latest 15,000 to 30,000
                different restreams, so that memory stays bounded. A journal remembers those of all
                its runs.

        Raises:
            JournalError: on entering: the journal cannot be opened, is damaged, is in use, or
                belongs to another project or service. From the iteration: the journal can no
                longer be written, which stops the run.

        """
        return BulkRun(
            self._executor,
            self._api,
            self._creator,
            requests,
            journal=self._journal(journal) if journal is not None else None,
            repair=repair,
            ensure=ensure,
            repeats=repeats,
            calls=self._calls_in_progress,
        )

    async def create_all(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        journal: str | os.PathLike[str] | None = None,
        repair: bool = False,
        ensure: bool = False,
        repeats: Repeats = "existing",
    ) -> BulkReport:
        """Create many restreams, and return all outcomes at once, in the order of the input.

        The arguments are those of `create_many`. An exception of the run is raised in place of the
        report, once all items that had begun have ended. Then the outcomes are lost; a note on the
        exception tells only how many there were of each kind. If the input can raise, iterate over
        `create_many`, or pass a `journal`, which remembers them.

        Raises:
            JournalError: the journal cannot be used or written.
            UnauthorizedError: the API key is wrong. Other errors that end a run are raised too.
            RuntimeError: the client was closed, or tasks of the run were cancelled from outside.
            Exception: an exception of the input.

        """
        run = self.create_many(
            requests, journal=journal, repair=repair, ensure=ensure, repeats=repeats
        )
        async with run:
            return await run.report()

    def plan(
        self,
        wanted: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        rotate: bool = False,
        prune: bool = False,
    ) -> WantedStateRun:
        """Compare the wanted restreams with those that exist, and stream the changes to make.

        Use it as an async context manager and iterate over it:

            async with client.plan(wanted) as plan:
                async for change in plan:
                    ...

        Nothing is changed. Each video that `wanted` names is listed once; other videos are left
        alone. The changes come video by video, in the order of `wanted`: one or more for each
        wanted restream, then the extra restreams.

        Args:
            wanted: all restreams that the videos shall have, in any order. It is read to its end on
                entering, because a later item may want what would otherwise look extra. Equal items
                (video id, stream URL, stream key, title and status) are wanted once.
            rotate: whether `apply` may replace stream keys. If false, such a change needs "rotate".
            prune: whether `apply` may delete restreams that are extra or duplicates. If false, such
                a change needs "prune".

        Raises:
            InvalidRestreamError: on entering: two items name the same restream with another title
                or status, or spell a video id with other capitals. Nothing was sent.
            UnauthorizedError: from the iteration, like other errors that end a run. A video that
                cannot be read does not end it: its changes have an `error`.

        """
        return WantedStateRun(
            self._executor,
            self._api,
            self._creator,
            wanted,
            lambda video, reader: VideoPlan(video, reader, rotate=rotate, prune=prune),
            name="plan",
            calls=self._calls_in_progress,
        )

    def apply(
        self,
        wanted: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        rotate: bool = False,
        prune: bool = False,
        journal: str | os.PathLike[str] | None = None,
    ) -> WantedStateRun:
        """Bring the videos to the wanted state, and stream the changes that were made.

            async with client.apply(wanted, journal="apply.db") as run:
                async for change in run:
                    ...

        Each video is listed right before it is changed. What is missing is created, then statuses
        are set, then the video is listed again if there is something to verify, and only then old
        and extra restreams are deleted. A change that failed has an `error`, and the rest is done.
        Applied twice, the second run changes nothing. After any end, `kill -9` included, apply
        again: it ends in the same state, and no rotated destination is ever without both its old
        and its new restream.

        Args:
            wanted: as for `plan`.
            rotate: create the restreams whose stream key has changed, and delete the old ones once
                a list shows the new ones. If false, such a change is only reported.
            prune: delete restreams that are extra or duplicates. If false, they are only reported.
            journal: a file that notes what is created, as for `create_many`. It lets `undo` delete
                it. What exists is always decided by the service, not by the journal.

        Raises:
            InvalidRestreamError: on entering: two items name the same restream with another title
                or status, or spell a video id with other capitals. Nothing was sent.
            JournalError: on entering: the journal cannot be used. From the iteration: it can no
                longer be written, which stops the run.
            UnauthorizedError: from the iteration, like other errors that end a run.

        """
        opened = self._journal(journal) if journal is not None else None
        options = ApplyOptions(
            api=self._api,
            statuses=self._statuses,
            rotate=rotate,
            prune=prune,
            journal=JournalAdapter(opened, "existing", ensure=True) if opened is not None else None,
        )
        return WantedStateRun(
            self._executor,
            self._api,
            self._creator,
            wanted,
            lambda video, reader: VideoApply(video, reader, options),
            name="apply",
            calls=self._calls_in_progress,
            journal=opened,
        )

    def undo(self, journal: str | os.PathLike[str], *, include_found: bool = False) -> Undo:
        """Delete what the runs of a journal have created.

            async with client.undo("run.db") as undo:
                await undo.carry_out(print)

        Args:
            journal: the file that was passed to `create_many`.
            include_found: also delete restreams that the runs found: those that existed before, and
                those found after an attempt in doubt, which may have existed before.

        Raises:
            JournalError: on entering, the journal cannot be used.

        """
        return Undo(
            self._executor,
            self._api,
            self._journal(journal),
            include_found=include_found,
            calls=self._calls_in_progress,
        )

    def _journal(self, path: str | os.PathLike[str]) -> Journal:
        settings = self._settings
        identity = Identity(
            base_url=settings.base_url, project_id=settings.project_id, api_key=settings.api_key
        )
        return Journal(path, identity)


def _checked(kind: type[_T], name: str, value: object) -> _T:
    """Return an argument of the right type, or its default if it is None."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        given = type(value).__name__
        raise ConfigurationError(f"{name} must be a {kind.__name__} or None, not {given}")
    return value
