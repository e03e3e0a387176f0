"""Ids that are a part of a path. `test_models` has the checks of a restream's fields."""

import pytest

from restream_async import InvalidRestreamError
from restream_async._field_checks import check_identifier


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [("r-1", "r-1"), (7, "7"), (0, "0"), (-1, "-1"), ("a/b", "a/b"), ("...", "...")],
)
def test_an_id_is_a_string_or_an_integer(given_id: object, kept: str) -> None:
    assert check_identifier("restream_id", given_id) == kept


@pytest.mark.parametrize(
    "given_id", [True, 1.0, None, "", "  ", ".", "..", "a\nb", b"7", [7], "7 ", "7\u200b"]
)
def test_what_cannot_stand_in_a_path_is_no_id(given_id: object) -> None:
    with pytest.raises(InvalidRestreamError) as caught:
        check_identifier("restream_id", given_id)
    assert caught.value.field == "restream_id"
