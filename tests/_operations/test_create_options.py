"""Which creations begin with their POST, without a check."""

from typing import Any

import pytest

from restream_async._operations.create_options import (
    CHECK_FIRST,
    CHECK_RECENTLY,
    PLAIN,
    PLAIN_WITH_SLOT,
    CreateOptions,
)


@pytest.mark.parametrize("options", [PLAIN, PLAIN_WITH_SLOT, CreateOptions(recent=True)])
def test_nothing_special_is_plain(options: CreateOptions) -> None:
    assert options.plain


@pytest.mark.parametrize("options", [CHECK_FIRST, CHECK_RECENTLY])
def test_a_check_is_not_plain(options: CreateOptions) -> None:
    assert not options.plain


@pytest.mark.parametrize(
    "known",
    [{"in_doubt": True}, {"allow_equal": True}, {"others": frozenset({7})}, {"known_id": 0}],
    ids=lambda known: next(iter(known)),
)
def test_what_an_earlier_run_knew_is_not_plain(known: dict[str, Any]) -> None:
    assert not CreateOptions(**known).plain
