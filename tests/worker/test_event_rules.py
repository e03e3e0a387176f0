"""Rules say what to do for which event; every mistake in them is named with its place."""

from pathlib import Path

import pytest

from restream_async import ConfigurationError
from restream_async.changes import Action
from restream_async.worker.event_rules import DEFAULT_RULES, Rule, read_rules

CHANGED = "live.video.status.changed"
RULE = f'[[rules]]\nevent = "{CHANGED}"\naction = "disable"\n'


def read(folder: Path, text: str) -> tuple[Rule, ...]:
    (folder / "d.toml").write_text(text)
    return read_rules(folder / "d.toml")


def test_a_file_without_rules_has_those_of_old(tmp_path: Path) -> None:
    assert read(tmp_path, "") == DEFAULT_RULES
    assert (Rule(event="live.video.created", action=Action.CREATE),) == DEFAULT_RULES


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f'{RULE}when = {{ status = "Offline", statusId = 2, hidden = false }}\n'
        '[[rules]]\nevent = "live.video.deleted"\naction = "delete"\n'
        '[[rules]]\nevent = "live.video.created"\naction = "create"\n'
        '[[rules]]\nevent = "live.video.started"\naction = "enable"\n',
    )

    assert found == (
        Rule(
            event=CHANGED,
            action=Action.DISABLE,
            when={"status": "Offline", "statusId": 2, "hidden": False},
        ),
        Rule(event="live.video.deleted", action=Action.DELETE),
        Rule(event="live.video.created", action=Action.CREATE),
        Rule(event="live.video.started", action=Action.ENABLE),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules = [1]", "rule 1 of PATH is not a table: write [[rules]] above its fields"),
        (f"{RULE}{RULE}if = 1", "rule 2 of PATH has unknown fields: if (known: event, when, "),
        (
            '[[rules]]\naction = "delete"',
            "rule 1 of PATH: event must be the type of an event, such as live.video.status.changed",
        ),
        (RULE.replace("live.video.", ""), "rule 1 of PATH: event must be the type of an event"),
        (
            RULE.replace("disable", "stop"),
            "rule 1 of PATH: action must be one of create, enable, disable, delete",
        ),
        (RULE.replace('"disable"', "[]"), "rule 1 of PATH: action must be one of"),
        (RULE.replace("disable", "rotate"), "rule 1 of PATH: action must be one of"),
        (
            f'{RULE}when = "Offline"',
            'rule 1 of PATH: when must be a table of values, as in { status = "Offline" }',
        ),
        (
            f"{RULE}when = {{ status = [] }}",
            "rule 1 of PATH: status in when must be a text, a number, true or false",
        ),
        (
            f'{RULE}when = {{ Status = "Offline" }}',
            "rule 1 of PATH: write Status in when as status",
        ),
    ],
)
def test_a_wrong_rule_is_named_with_the_reason(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)

    assert reason.replace("PATH", str(tmp_path / "d.toml")) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fields", "fits"),
    [
        (CHANGED, {"status": "Offline", "id": 1, "more": 2}, True),
        (CHANGED, {"status": "offline", "id": 1}, False),
        (CHANGED, {"status": "Offline"}, False),
        (CHANGED, {"status": "Offline", "id": True}, False),
        ("live.video.updated", {"status": "Offline", "id": 1}, False),
    ],
)
def test_a_rule_fits_if_the_type_and_all_values_are_equal(
    kind: str,
    fields: dict[str, object],
    fits: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    rule = Rule(event=CHANGED, action=Action.DISABLE, when={"status": "Offline", "id": 1})

    assert rule.fits(kind, fields) is fits
