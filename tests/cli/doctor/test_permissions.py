from typing import Any

import pytest

from restream_async.cli.doctor.permissions import PublishPermissions, covers


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("restreams.commands", "restreams.commands", True),
        ("restreams.commands", "restreams.events", False),
        ("restreams.*", "restreams.commands", True),
        ("restreams.*", "restreams", False),
        ("restreams.*", "restreams.a.b", False),
        ("restreams.>", "restreams.a.b", True),
        ("restreams.>", "restreams", False),
        (">", "restreams", True),
        ("restreams", "restreams.commands", False),
    ],
)
def test_a_pattern_covers_what_nats_says(pattern: str, subject: str, *, expected: bool) -> None:
    assert covers(pattern, subject) is expected


@pytest.mark.parametrize(
    "said", [{}, {"data": {}}, {"data": {"permissions": {"subscribe": {"allow": ["a"]}}}}]
)
def test_without_permissions_everything_is_allowed(said: dict[str, Any]) -> None:
    permissions = PublishPermissions.of(said)
    assert permissions.is_unlimited
    assert permissions.permits("restreams.commands")


def test_a_denial_wins_over_a_permission() -> None:
    permissions = PublishPermissions.of(
        {"data": {"permissions": {"publish": {"allow": ["restreams.>"], "deny": ["*.dead"]}}}}
    )
    assert not permissions.is_unlimited
    assert permissions.permits("restreams.commands")
    assert not permissions.permits("restreams.dead")
    assert not permissions.permits("other")
