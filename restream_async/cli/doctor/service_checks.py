"""Private: checks of what the service answers: HTTP, envelope, API key, clock, list call.

They send nothing but the list call of one video, which changes nothing.
"""

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import attrs

from restream_async._http import json_values
from restream_async._http.list_response import ListPage
from restream_async._http.messages import Response
from restream_async._http.response_headers import is_from_cache
from restream_async._operations.matching import is_masked
from restream_async._util.redaction import redact
from restream_async.cli.doctor.list_call import INVENTED_VIDEO, Answer, Asker
from restream_async.cli.doctor.results import Finding, duration, failed, ok, skipped, warning
from restream_async.cli.output.console import plural, safe
from restream_async.errors import ApiError, MalformedResponseError

_BEARER: Final = "Bearer"
_SLOW: Final = 2.0
"""Seconds; slower answers make a client send fewer requests at once."""
_CLOCK_TOLERANCE: Final = 60.0
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NO_CALL: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_NOT_REFUSED: Final = frozenset({HTTPStatus.NOT_FOUND, *_NO_CALL})
_REDIRECT: Final = range(300, 400)
_SUCCESS: Final = range(200, 300)
_CHECK_BASE_URL: Final = "Check the base URL (RESTREAM_BASE_URL or --base-url)"
_DEPENDS: Final = (
    "Creating exactly once depends on this call: without it, a creation whose answer was lost is "
    "sent again, and may then exist twice."
)


@attrs.define
class ServiceChecks:
    """Checks what the service answers; each check needs `http`, which comes first.

    Attributes:
        asker: sends the list call.

    """

    asker: Asker
    _answer: Answer | None = attrs.field(init=False, default=None)
    _response: Response | None = attrs.field(init=False, default=None)

    async def http(self) -> Finding:
        """Check that the service answers, and in time."""
        self._answer = answer = await self.asker.ask(self.asker.scheme)
        response = answer.response
        if not isinstance(response, Response):
            advice = f"{_CHECK_BASE_URL}, and whether the service works."
            return failed(answer.summary, answer.note or advice)
        self._response = response
        secrets = self.asker.settings.secrets
        reason = safe(redact(response.reason, secrets))
        detail = f"{response.status} {reason}".rstrip() + f" in {duration(answer.seconds)}"
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return failed(answer.summary, answer.note)
        if response.status in _REDIRECT:
            where = redact(response.headers.get("Location", "nowhere").partition("?")[0], secrets)
            advice = f"Redirects are not followed. {_CHECK_BASE_URL}."
            return failed(f"{detail}, a redirect to {safe(where)}", advice)
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and response.status not in _NO_CALL:
            return failed(detail, _advice_on_outage(answer, response.headers.get("Server", "")))
        if answer.seconds > _SLOW:
            return warning(
                detail,
                f"Answers that take more than {_SLOW:g} s make the client send fewer requests at "
                "once. Ask the operators of the service whether this is usual.",
            )
        return ok(detail)

    async def envelope(self) -> Finding:
        """Check that the answer has the documented form."""
        response = self._response
        if response is None:
            raise AssertionError("`http` has failed")
        problem = "it is another JSON"
        try:
            found = json_values.as_object(json_values.parse(response.body)) or {}
            if isinstance(success := found.get("success"), bool):
                return ok(f"as documented, with success: {str(success).lower()}")
        except json_values.UnreadableError as error:
            problem = str(error)
        if response.body.lstrip().startswith(b"<"):
            problem = "it is an HTML page"
        detail = f"the answer is not the documented envelope ({problem})"
        advice = (
            f"{_CHECK_BASE_URL}: another program may answer there, or a part of the path may be "
            "missing."
        )
        # The documentation does not say what the body of an error is.
        return failed(detail, advice) if response.status in _SUCCESS else warning(detail, advice)

    async def api_key(self) -> Finding:
        """Check whether the service takes the key, and whether alone or as `Bearer`."""
        own, mine = self.asker.scheme, self._answered
        others = {scheme: await self.asker.ask(scheme) for scheme in ("", _BEARER) if scheme != own}
        said = "; ".join(
            f"{_form(scheme)}: {each.summary}" for scheme, each in {own: mine, **others}.items()
        )
        taken = [scheme for scheme, each in others.items() if each.status in _SUCCESS] or [
            scheme for scheme, each in others.items() if each.status in _NOT_REFUSED
        ]
        if mine.status in _REFUSED:
            if taken:
                return failed(f"refused as it is sent ({said})", _how_to_send(taken[0]))
            project = safe(self.asker.settings.project_id)
            return failed(
                f"refused ({said})",
                "Check the API key (RESTREAM_API_KEY or --api-key-file), whether it belongs to the "
                f"project {project}, and whether it may list restreams.",
            )
        keys_are_checked = any(each.status in _REFUSED for each in others.values())
        if mine.status in _SUCCESS or keys_are_checked:
            also = " and ".join(map(_form, taken))
            return ok(f"accepted as it is sent, {_form(own)}" + (f"; also {also}" if also else ""))
        return warning(
            f"neither refused nor used ({said})",
            "Name a video that has restreams with --video, to see whether the service takes the "
            "key.",
        )

    async def clock(self) -> Finding:
        """Compare the clock of this machine with that of the service."""
        if self._response is None:
            return skipped("there is no answer")
        headers = self._response.headers
        if is_from_cache(headers):
            return skipped("a cache answered, with the date of an earlier answer")
        try:
            there = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except ValueError:
            return skipped("the answer has no date")
        # The service wrote the date, in whole seconds, between sending and receiving.
        sent = self._answered.sent_at
        ahead = max(0.0, sent - there - 1) + min(0.0, sent + self._answered.seconds - there)
        if abs(ahead) <= _CLOCK_TOLERANCE:
            return ok("as at the service, within a minute")
        side = "ahead of" if ahead > 0 else "behind"
        return warning(
            f"the clock of this machine is {abs(ahead):,.0f} s {side} that of the service",
            "Set the clock, for example with NTP: certificates and waits depend on it.",
        )

    async def list_call(self) -> Finding:
        """Check the list call, on which existence checks depend."""
        answer = self._answered
        video = safe(self.asker.video_id)
        if isinstance(answer.verdict, ListPage):
            return _of_page(answer.verdict, video)
        if answer.status in _NO_CALL:
            return failed(f"the service has no list call ({answer.summary})", _DEPENDS)
        if answer.status == HTTPStatus.NOT_FOUND and self.asker.video_id == INVENTED_VIDEO:
            return ok("404 for a video that does not exist, as documented")
        if answer.status == HTTPStatus.NOT_FOUND:
            return warning(
                f"404 for the video {video}: it has no restreams, or it does not exist, or the "
                "service has no list call",
                f"Name a video that has restreams with --video. {_DEPENDS}",
            )
        if isinstance(answer.error, MalformedResponseError):
            return failed(answer.summary, f"The client cannot use this answer. {_DEPENDS}")
        return failed(answer.summary, f"Try again later. {_DEPENDS}")

    @property
    def _answered(self) -> Answer:
        if self._answer is None:
            raise AssertionError("`http` comes first")
        return self._answer


def _of_page(page: ListPage, video: str) -> Finding:
    count = len(page.restreams) if page.count is None else page.count
    detail = f"it shows {plural(count, 'restream')} of the video {video}"
    if any(is_masked(each.stream_key) for each in page.restreams):
        return warning(
            f"{detail}, but not their whole stream keys",
            "Existence checks then go by ids, and may stay in doubt. Ask the operators of the "
            "service for an API key that may see stream keys.",
        )
    return ok(detail)


def _form(scheme: str) -> str:
    return f"as {scheme}" if scheme else "the key alone"


def _how_to_send(scheme: str) -> str:
    if scheme:
        return f"Set RESTREAM_AUTH_SCHEME={scheme}, or pass --auth-scheme {scheme}."
    return "Unset RESTREAM_AUTH_SCHEME, and leave out --auth-scheme: only the key is expected."


def _advice_on_outage(answer: Answer, server: str) -> str:
    who = "The service fails"
    if "varnish" in server.lower():
        who = "A cache (Varnish) answers in place of the service, which it cannot reach"
    request = answer.error.request_id if isinstance(answer.error, ApiError) else None
    told = f"the request id {safe(request)}" if request else "the time"
    return f"{who}. Try again later; if it lasts, tell the operators of the service {told}."
