"""`RestreamClient`: one session to the service, for as many tasks as share it."""

import builtins
import os
from collections.abc import AsyncIterable, Iterable
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from restream_async._bulk.repeats import Repeats
from restream_async._bulk.report import BulkReport
from restream_async._bulk.run import BulkRun
from restream_async._bulk.undo import Undo
from restream_async._http.messages import Api, Request
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
from restream_async._operations.toggle import toggle
from restream_async._retry.classification import value_or_raise
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.policy import RetryPolicy
from restream_async._util.clock import Clock
from restream_async._util.tasks import run_to_completion
from restream_async.errors import Call, ConfigurationError
from restream_async.models import NewRestream, Outcome, Restream, Toggled
from restream_async.settings import HoldsKey, InDoubt, Settings, check_limits
from restream_async.stats import Stats

_T = TypeVar("_T")


class RestreamClient(HoldsKey):
    """Creates restreams, and lists, toggles and deletes them.

    Use it as an async context manager, or call `close` at the end. One client may be shared by
    all tasks of an event loop; they share its connections and its limit. It belongs to the event
    loop in which it is first used (or to that of its `session`): make another client for another
    `asyncio.run`, thread or process.

    Every method below raises, besides what it names itself:

    - `UnauthorizedError`, `ForbiddenError`, `NotFoundError`, `BadRequestError`, or `ApiError` for
      another refusal, `CertificateError`, and `ProxyError`: at once;
    - `TooManyRequestsError`, `InternalServerError`, `BackendFetchFailedError`, `TransportError`,
      `AttemptTimeoutError`, `MalformedResponseError`, or `ApiError` for 408, 425, 502 and 504:
      after the retries that the policy allows;
    - `ClientClosedError`, a `RuntimeError`: the client, or the session it was given, is closed, the
      client is draining, or it belongs to another event loop. A creation that was in doubt then
      ends as `OutcomeUnknownError`;
    - `NotSentError`: the client was drained, and its time was over before the request was sent.

    To end well, call `drain` before `close`. Cancelling a call ends it at once. What it has sent
    may take effect all the same: see `create`.
    """

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
        clock: Clock | None = None,
    ) -> None:
        """Check the settings; nothing is sent yet.

        Args:
            base_url: scheme, host and perhaps a path of the service; else RESTREAM_BASE_URL.
            project_id: the project that owns the restreams; else RESTREAM_PROJECT_ID.
            api_key: the secret of the project; else RESTREAM_API_KEY.
            auth_scheme: a word before the key in the `Authorization` header, such as "Bearer";
                else RESTREAM_AUTH_SCHEME. Without either, the key is sent alone: the service's
                documentation does not say which it wants.
            timeout: seconds for one attempt, from when it has its place in the pool.
            retry: how long to insist; `RetryPolicy()` where None.
            in_doubt: what to do about an attempt that may have taken effect: "confirm" looks
                before it sends again, "raise" too, but raises `OutcomeUnknownError` where the
                look fails, "resend" never looks and can create a restream twice.
            max_in_flight: the most requests in flight, over all calls of this client. The client
                starts with so many (with 64 at the most) and learns from the answers.
            patience: seconds of an outage after which a bulk run gives up what is left, with
                `OutageError`. A single call waits within its own deadline only. While the service
                has never answered, both give up after 30 seconds at the latest.
            session: your own aiohttp session; it is left open.
            proxy: a forward proxy to send everything through, such as
                "http://user:password@proxy.example.com:3128", the user and the password
                percent-encoded.
            trust_env: where `proxy` is None, take the proxy that HTTPS_PROXY, HTTP_PROXY or
                ALL_PROXY names, unless NO_PROXY names the service's host. They are read once, and
                never used for a service on this machine.
            ssl: whose certificates to trust, as in aiohttp: an `ssl.SSLContext` or an
                `aiohttp.Fingerprint`; False trusts everybody, so anybody in between can read the
                API key. None and True trust whom `session` trusts, else whom the system does; the
                variable SSL_CERT_FILE names other authorities.
            allow_http: permit plain http:// to an address that is not this machine's own.
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
        self._settings = settings
        self._api = Api(settings.project_id)
        self._transport = Transport(
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
        )
        self._creator = Creator(self._executor, self._api, in_doubt)
        self._calls_in_progress = CallsInProgress(self._executor, self._transport.loop)

    def __repr__(self) -> str:
        """Return where the client works, never its key."""
        settings: Settings | None = getattr(self, "_settings", None)
        if settings is None:
            # A debugger may ask for it after the constructor has refused its arguments.
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

    async def drain(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a part of it comes after the time
        """Come to a good end: accept no new calls, and wait until those under way have ended.

        A new call raises `ClientClosedError`, and bulk runs read no further. Close the client
        afterwards: a service that is told to end drains its client, and then leaves the block.

        Args:
            timeout: seconds for the calls under way; in an outage there are none. After them, what
                waits for a retry, a place or the end of an outage ends at once: with
                `NotSentError`, or `OutcomeUnknownError` where it may have taken effect. What is on
                the wire then has 5 seconds more; what does not end in time either is ended by
                `close`, with `OutcomeUnknownError`.

        """
        self._claim("drain")
        await self._calls_in_progress.drain(timeout)

    async def close(self) -> None:
        """Close the connections; a session that was handed in stays open.

        What is under way ends: a request at once, a wait for a retry at its end. To let it finish,
        call `drain` before. Closing goes on to its end, however often it is cancelled.

        Raises:
            ClientClosedError: the client belongs to another event loop: close it there.

        """
        self._claim("close")
        await run_to_completion(self._close)

    async def _close(self) -> None:
        await self._transport.close()
        # Who waits for a place is let through, and finds the client closed.
        await self._executor.limiter.close()

    async def create(self, new: NewRestream) -> Restream:
        """Create a restream, and return it as the service has it.

        Where an attempt is in doubt, the restream is looked for before it is sent again, and
        adopted if it is there.

        Cancelling it (`task.cancel()`, `asyncio.timeout`, a server whose caller hangs up) says
        nothing about the restream: the request may have left, and may have taken effect. Call
        `ensure` with the same restream to find out and to create it if it is absent. A bulk run
        with a journal finds out by itself when it is run again.

        Raises:
            OutcomeUnknownError: an attempt may have taken effect, and looking failed as well.

        """
        return restream_or_raise(await self._create(new))

    async def ensure(self, new: NewRestream) -> Restream:
        """Return the restream if it is there, else create it.

        For events that are delivered more than once. It is there if one with the same video id,
        stream URL and stream key is. Where it is cancelled, the restream may have been created;
        call it again.

        Raises:
            OutcomeUnknownError: an attempt may have taken effect, and looking failed as well.

        """
        return restream_or_raise(await self._create(new, CHECK_FIRST))

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        """Create a restream, and return how that ended: `Created` or `Failed`, each with index 0.

        For workers and queues, which tell others what became of each: nothing is raised for a
        restream that could not be created, and what was created says from where it is known.
        Only a cancellation is raised, and means the same as for `create`: the restream may exist.

        Args:
            new: the restream.
            ensure: look first, and create it only if it is absent.
            recent: for `ensure`, a list of the video that this client requested within the last
                second is good enough. For a restream that nobody has tried to create before; it
                saves most lists where one video has many restreams.

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
            InvalidRestreamError: the id is empty or cannot stand in a path.

        """
        with self._accepted(self._api.list(video_id)) as deadline:
            return value_or_raise(await self._creator.listing.read(video_id, deadline))

    async def toggle(self, restream_id: int | str) -> Toggled:
        """Turn a restream on if it is off, and off if it is on; return its new status.

        A repeated toggle flips it back, so it is sent again only where it certainly did not
        arrive. Any other failure is raised at once, and says that the effect is unknown. What
        stands between the client and the service may repeat it all the same: Varnish sends a
        request without a body again when a kept connection to its backend turns out to be closed.

        Raises:
            InvalidRestreamError: the id is empty or cannot stand in a path.

        """
        with self._accepted(self._api.toggle(restream_id)) as deadline:
            return value_or_raise(await toggle(self._executor, self._api, restream_id, deadline))

    async def delete(self, restream_id: int | str) -> bool:
        """Delete a restream; return what the service says: true if it did.

        Deleting again does no harm, so it is retried. If a repeated one finds nothing any more,
        an earlier one whose answer was lost did the work, and the result is true.

        Raises:
            InvalidRestreamError: the id is empty or cannot stand in a path.

        """
        with self._accepted(self._api.delete(restream_id)) as deadline:
            return value_or_raise(await delete(self._executor, self._api, restream_id, deadline))

    def _accepted(self, request: Request) -> CallsInProgress:
        if not self._calls_in_progress.accepts():
            raise self._calls_in_progress.refusal(request.call)
        return self._calls_in_progress

    def _claim(self, what: str) -> None:
        """Make sure that the running event loop is that of the client."""
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
            requests: what to create. May be endless: it is read only when there is room, and
                memory stays bounded.
            journal: a file that makes the run resumable. Run again with the same input after
                any end, `kill -9` included: what is done is reported at once, what was under way
                is looked for first, what failed is tried again. It holds no stream key, no stream
                URL and no API key.
            repair: at the end of the run, delete the extra copies that this run made. Extra
                copies come from commits later than the look before a resend. A copy counts as
                the run's own where that look had found none, so that nothing was there before,
                and where no more copies turned up than attempts were in doubt. What cannot be
                told from it is an equal restream that somebody else creates between that look
                and the end of the run: set it only where nobody does. Everything else is only
                reported.
            ensure: look for every restream before creating it, also for those that the journal
                calls done.
            repeats: what the same restream (video id, stream URL and stream key) again in the
                input is: "existing" looks for it and reports it as existing, "create" creates it
                once more, and remembers the ids of all that it created for as long as the client
                lives. Without a journal, all of an input of up to 30,000 different restreams are
                known again, and of a longer one the latest 15,000 or more, so that memory stays
                bounded; with a journal, all of every run.

        Raises:
            JournalError: on entering, the journal cannot be opened, is damaged, is in use, or
                belongs to another project or service; from the iteration, it cannot be written
                any more, which stops the run.

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

        The arguments are those of `create_many`. What its iteration raises (an exception of the
        input, a `JournalError`, a wrong API key, a `RuntimeError` where the client is closed
        meanwhile or somebody cancels tasks of the run) is raised in place of the report, once all
        that was under way has ended. The outcomes until then are lost but for their numbers, which
        a note on the exception tells: where the input can raise, iterate over `create_many`, or
        have a `journal`, which remembers what is done.
        """
        run = self.create_many(
            requests, journal=journal, repair=repair, ensure=ensure, repeats=repeats
        )
        async with run:
            return await run.report()

    def undo(self, journal: str | os.PathLike[str], *, include_found: bool = False) -> Undo:
        """Delete what the runs of a journal have created.

            async with client.undo("run.db") as undo:
                await undo.carry_out(print)

        Args:
            journal: the file that `create_many` was given.
            include_found: delete also what the runs found: what was there before, and what was
                found after doubt and may have been there before.

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
    """Return an argument, or what stands for it where it is None."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        given = type(value).__name__
        raise ConfigurationError(f"{name} must be a {kind.__name__} or None, not {given}")
    return value
