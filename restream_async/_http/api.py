"""Private: the calls of the service: their methods, paths, queries and bodies.

They are those of the service's documentation of `POST /restreams` and its sibling pages.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

import attrs

from restream_async._field_checks import check_identifier
from restream_async._http import serialization
from restream_async._http.messages import Request
from restream_async.errors import Call
from restream_async.models import NewRestream

_RESTREAMS: Final = "/api/v1/{projectId}/restreams"
URL_TEMPLATES: Final[Mapping[str, str]] = {
    "POST": _RESTREAMS,
    "GET": "/api/v1/{projectId}/live-video/{videoId}/restreams",
    "PUT": f"{_RESTREAMS}/{{restreamId}}/toggle",
    "DELETE": f"{_RESTREAMS}/{{restreamId}}",
}
"""The path of each call, by its method, without values."""


@attrs.frozen
class Api:
    """The requests of one project.

    Raises:
        InvalidRestreamError: from each method, for an id that cannot stand in a path.

    """

    project_id: str
    _restreams: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Make the path of creations once."""
        object.__setattr__(self, "_restreams", self._path("POST"))

    def restreams_call(self, method: str) -> Call:
        """Return what errors show of a method's calls, without saying which restream."""
        return Call(method, self._restreams)

    def create(self, new: NewRestream) -> Request:
        """Return the request that creates a restream."""
        return Request("POST", self._restreams, new.video_id, new, serialization.to_json(new))

    def list(
        self,
        video_id: str,
        *,
        about: NewRestream | None = None,
        page: int | None = None,
        take: int | None = None,
        unique: int | None = None,
    ) -> Request:
        """Return the request that lists the restreams of one live video.

        Args:
            video_id: the live video.
            about: the restream that the list is searched for, if any.
            page: the number of the page, for a list that comes in pages.
            take: how many restreams a page has.
            unique: a number that no earlier request had, so that no cache knows the query.

        """
        video = check_identifier("video_id", video_id)
        path = self._path("GET", videoId=video)
        parameters = {"page": page, "take": take, "_": unique}
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        if query:
            path = f"{path}?{query}"
        return Request(method="GET", path=path, video_id=video, new=about)

    def toggle(self, restream_id: int | str) -> Request:
        """Return the request that turns a restream on or off."""
        return self._about("PUT", restream_id)

    def delete(self, restream_id: int | str) -> Request:
        """Return the request that deletes a restream."""
        return self._about("DELETE", restream_id)

    def _about(self, method: str, restream_id: int | str) -> Request:
        identifier = check_identifier("restream_id", restream_id)
        path = self._path(method, restreamId=identifier)
        return Request(method, path, restream_id=identifier)

    def _path(self, method: str, **ids: str) -> str:
        ids["projectId"] = self.project_id
        return URL_TEMPLATES[method].format(
            **{name: quote(value, safe="") for name, value in ids.items()}
        )
