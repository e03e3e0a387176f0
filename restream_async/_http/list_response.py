"""Private: the forms that the answer to a list call may have: the whole list, or one page of it."""

from typing import Final

import attrs

from restream_async._http.json_values import UnreadableError, as_array, as_integer, as_object
from restream_async._http.serialization import read_restream, read_restream_array
from restream_async.models import Restream

_PAGING: Final = ("currentPage", "totalPages", "pageSize", "totalCount")


@attrs.frozen(kw_only=True)
class ListPage:
    """A list of restreams, or one page of it.

    Attributes:
        restreams: the restreams of this page.
        number: the number of the page.
        pages: how many pages there are; 1 for a whole list.
        size: how many restreams a page has, or None if the service does not say.
        count: how many restreams there are on all pages, or None if the service does not say.

    """

    restreams: list[Restream]
    number: int = 1
    pages: int = 1
    size: int | None = None
    count: int | None = None


def read_restreams(value: object) -> list[Restream]:
    """Read the `result` of a list call: an array, a single object, or null.

    Raises:
        UnreadableError: it is none of them; names the path.

    """
    if value is None:
        return []
    if as_object(value) is not None:
        return [read_restream(value)]
    array = as_array(value)
    if array is None:
        raise UnreadableError("result: expected an array, an object or null")
    return read_restream_array(array)


def read_page(value: object) -> ListPage:
    """Read the `result` of a list call, which may be one page of the list.

    Pages have the form of the service's list call for live videos: `items`, `currentPage`,
    `totalPages`, `pageSize`, `totalCount`.

    Raises:
        UnreadableError: it is no list, or a page that does not say how many pages there are.

    """
    fields = as_object(value)
    if fields is None or "items" not in fields:
        return ListPage(restreams=read_restreams(value))
    items = as_array(fields["items"])
    if items is None:
        raise UnreadableError("result.items: expected an array")
    number, pages, size, count = (as_integer(fields.get(name)) for name in _PAGING)
    if number is None or pages is None:
        raise UnreadableError("result: a page must have currentPage and totalPages")
    restreams = read_restreams(items)
    return ListPage(restreams=restreams, number=number, pages=pages, size=size, count=count)
