"""Private: the list call of one video, sent once the way the client sends it, and its answer."""

from typing import Final

import attrs

from restream_async._http.api import Api
from restream_async._http.list_response import ListPage, read_page
from restream_async._http.messages import NoResponse, Response
from restream_async._http.transport import Transport
from restream_async._retry.classification import Failure, classify
from restream_async._util.clock import Clock
from restream_async.cli.doctor.network import Way
from restream_async.cli.errors import brief, in_cli_words
from restream_async.errors import ApiError, CallError, RestreamError
from restream_async.settings import Settings

INVENTED_VIDEO: Final = "restream-async-doctor"
"""The id of a video that does not exist, for a list call without `--video`."""


@attrs.frozen(kw_only=True)
class Answer:
    """What came back for a list call.

    Attributes:
        response: the response, or why there is none.
        verdict: what the client makes of it.
        seconds: how long it took.
        sent_at: when it was sent, in seconds since 1970.

    """

    response: Response | NoResponse
    verdict: ListPage | Failure
    seconds: float
    sent_at: float

    @property
    def error(self) -> CallError | None:
        """The error that the client would raise, or None."""
        return self.verdict.error if isinstance(self.verdict, Failure) else None

    @property
    def status(self) -> int | None:
        """The status that counts: that of the envelope, else that of HTTP, else None."""
        if isinstance(self.error, ApiError):
            return self.error.status
        return self.response.status if isinstance(self.response, Response) else None

    @property
    def summary(self) -> str:
        """What happened, in a few words without secrets."""
        return f"{self.status} OK" if self.error is None else brief(self.error)

    @property
    def note(self) -> str:
        """What the client would advise, as a sentence; may be empty."""
        note = "" if self.error is None else in_cli_words(RestreamError(self.error.note))
        return f"{note[0].upper()}{note[1:]}." if note else ""


@attrs.frozen(kw_only=True)
class Asker:
    """Sends the list call.

    Attributes:
        settings: of the client.
        way: the layers of the connection.
        video_id: the video to list.
        clock: the source of time and random numbers.
        timeout: seconds for one request.

    """

    settings: Settings
    way: Way
    video_id: str
    clock: Clock
    timeout: float

    @property
    def scheme(self) -> str:
        """The word before the key, or nothing."""
        return self.settings.authorization.removesuffix(self.settings.api_key).rstrip()

    async def ask(self, scheme: str) -> Answer:
        """Send the list call once, with a word before the key, or with none."""
        key = self.settings.api_key
        # No cache has an answer to a query that it has never seen.
        unique = int(self.clock.random() * 2**48)
        request = Api(self.settings.project_id).list(self.video_id, unique=unique)
        transport = Transport(
            self.settings.base_url,
            f"{scheme} {key}" if scheme else key,
            limit=1,
            tls=self.way.tls,
            proxy=self.settings.proxy,
        )
        start, sent_at = self.clock.now(), self.clock.wall_clock()
        try:
            response = await transport.send(request, self.timeout)
        finally:
            await transport.close()
        verdict = classify(
            request,
            response,
            read_page,
            secrets=self.settings.secrets,
            wall_clock=self.clock.wall_clock,
        )
        seconds = self.clock.now() - start
        return Answer(response=response, verdict=verdict, seconds=seconds, sent_at=sent_at)
