"""A list may come in several forms."""

import pytest

from restream_async import Restream
from restream_async._http.list_response import ListPage, read_page, read_restreams
from tests.helpers.examples import RESULT, stored
from tests.helpers.unreadable_values import problem_of

PAGE = {
    "items": [RESULT],
    "currentPage": 2,
    "totalPages": 3,
    "pageSize": 1,
    "totalCount": 3,
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], []),
        (None, []),
        ({**RESULT, "id": 1}, [stored(id=1)]),
        ([{**RESULT, "id": 1}], [stored(id=1)]),
        ([{**RESULT, "id": 2}, {**RESULT, "id": 1}], [stored(id=2), stored(id=1)]),
    ],
)
def test_a_list_may_come_as_an_array_an_object_or_null(
    value: object, found: list[Restream]
) -> None:
    assert read_restreams(value) == found


def test_a_list_may_come_in_pages() -> None:
    assert read_page(PAGE) == ListPage(restreams=[stored()], number=2, pages=3, size=1, count=3)


@pytest.mark.parametrize("value", [None, [], [RESULT], RESULT])
def test_a_list_that_is_whole_is_one_page(value: object) -> None:
    assert read_page(value) == ListPage(restreams=read_restreams(value), number=1, pages=1)


def test_a_page_need_not_say_how_large_it_is() -> None:
    short = {name: PAGE[name] for name in ("items", "currentPage", "totalPages")}
    assert read_page(short) == ListPage(restreams=[stored()], number=2, pages=3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"items": None}, "result.items: expected an array"),
        ({"items": [dict[str, object]()]}, "result[0].id: is missing"),
        ({"currentPage": "2"}, "result: a page must have currentPage and totalPages"),
        ({"totalPages": None}, "result: a page must have currentPage and totalPages"),
        ({"totalPages": True}, "result: a page must have currentPage and totalPages"),
    ],
)
def test_a_page_that_does_not_say_how_many_there_are_is_unreadable(
    changes: dict[str, object], problem: str
) -> None:
    assert problem_of(read_page, {**PAGE, **changes}).startswith(problem)
