"""The public API changes only on purpose."""

from difflib import unified_diff

import pytest

from tests.helpers.public_api import RECORD, public_api


def test_the_public_api_is_the_recorded_one() -> None:
    recorded, now = RECORD.read_text("utf-8").splitlines(), public_api().splitlines()
    changes = "\n".join(unified_diff(recorded, now, "recorded", "now", lineterm="", n=0))
    if changes:
        pytest.fail(
            f"the public API has changed:\n{changes}\n"
            "If you mean it, run `python -m tests.helpers.public_api`, and add a line to "
            "CHANGELOG.md. Once there is a release, a name goes only after a deprecation: "
            "see Stability in README.md.",
            pytrace=False,
        )
