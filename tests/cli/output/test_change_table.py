import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restream_async.changes import Change
from restream_async.cli.output.change_table import ChangeTable, is_shown
from restream_async.cli.output.console import console_on
from tests.helpers.changes import (
    LOST,
    NOT_SENT,
    UNREADABLE,
    create,
    disable,
    duplicate,
    enable,
    existing,
    extra,
    keep,
    rotate,
    unread,
    wanted,
)
from tests.helpers.command_line import Terminal, no_secrets

LONG = "a title of many words, which is longer than a line"
PLAN = [
    create(wanted=wanted(stream_url="rtmp://a.rtmp.youtube.com/live2/key"), title="YouTube ▶"),
    enable(title="Twitch"),
    disable(title="Own"),
    rotate(title="Facebook", needs="rotate"),
    extra(needs="prune"),
    duplicate(needs="prune"),
    keep(existing=existing("an old title of words")),
    extra(video_id="v2", is_unclear=True),
    unread(video_id="v3"),
    unread(video_id="v3"),
    create(video_id="v4", title=LONG),
]


def shown(*changes: Change, columns: int = 0, applied: bool = False) -> str:
    """Return the table on a terminal, or elsewhere if `columns` is 0."""
    console = console_on(Terminal() if columns else io.StringIO())
    console.width = columns or 80
    table = ChangeTable(console, applied)
    return table.render(changes).plain


def test_a_plan_is_grouped_by_video_and_aligned() -> None:
    assert (
        shown(*PLAN)
        == """\
v1
  + create    YouTube ▶    a.rtmp.youtube.com
  ~ enable    Twitch       live.example.com    id 7
  ~ disable   Own          live.example.com    id 7
  ± rotate    Facebook     live.example.com    id 7  needs --rotate
  - delete    Old          live.example.com    id 7  extra, needs --prune
  - delete    YouTube      live.example.com    id 7  duplicate, needs --prune
  = keep      YouTube      live.example.com    id 7  title differs: an old title of words
v2
  - delete    Old          live.example.com    id 7  extra, unclear
v3
  ✗ not read  2 restreams
              503 Backend fetch failed
v4
  + create    a title of many words, which is longer than a line  live.example.com"""
    )


def test_at_80_columns_notes_that_do_not_fit_stand_below() -> None:
    assert (
        shown(*PLAN, columns=80)
        == """\
v1
  + create    YouTube ▶    a.rtmp.youtube.com
  ~ enable    Twitch       live.example.com    id 7
  ~ disable   Own          live.example.com    id 7
  ± rotate    Facebook     live.example.com    id 7  needs --rotate
  - delete    Old          live.example.com    id 7  extra, needs --prune
  - delete    YouTube      live.example.com    id 7  duplicate, needs --prune
  = keep      YouTube      live.example.com    id 7
              title differs: an old title of words
v2
  - delete    Old          live.example.com    id 7  extra, unclear
v3
  ✗ not read  2 restreams
              503 Backend fetch failed
v4
  + create    a title of many words, which is longer than a line
    live.example.com"""
    )


def test_at_40_columns_nothing_is_cut_off() -> None:
    failed = create(title=LONG, error=UNREADABLE)
    assert shown(*PLAN[3:5], PLAN[9], failed, columns=40) == (
        "v1\n"
        "  ± rotate    Facebook\n"
        "    live.example.com, id 7, needs\n"
        "    --rotate\n"
        "  - delete    Old\n"
        "    live.example.com, id 7, extra, needs\n"
        "    --prune\n"
        "v3\n"
        "  ✗ not read  1 restream\n"
        "              503 Backend fetch failed\n"
        "v1\n"
        "  ✗ create    a title of many words,\n"
        "              which is longer than a\n"
        "              line\n"
        "    live.example.com\n"
        "    503 Backend fetch failed"
    )


def test_what_was_done_is_told_in_the_past_tense_and_what_failed_with_its_reason() -> None:
    assert (
        shown(
            create(existing=existing(id=12)),
            rotate(),
            extra(),
            enable(error=UNREADABLE),
            create(error=LOST),
            rotate(needs="rotate"),
            applied=True,
            columns=100,
        )
        == """\
v1
  + created   YouTube  live.example.com  id 12
  ± rotated   YouTube  live.example.com  was id 7
  - deleted   Old      live.example.com  was id 7  extra
  ✗ enable    YouTube  live.example.com  id 7
              503 Backend fetch failed
  ✗ create    YouTube  live.example.com
              may or may not be done: connection lost
  ± rotate    YouTube  live.example.com  id 7      needs --rotate"""
    )


@pytest.mark.parametrize(
    ("change", "has_row"),
    [
        (keep(), False),
        (keep(is_unclear=True), False),
        (create(error=NOT_SENT), False),
        (unread(error=NOT_SENT), False),
        (keep(existing=existing("Another")), True),
        (keep(wanted=None, is_unclear=True), True),
        (extra(needs="prune"), True),
        (unread(), True),
    ],
)
def test_the_table_leaves_out_what_is_as_wanted_and_what_was_not_sent(
    *, change: Change, has_row: bool
) -> None:
    assert is_shown(change) is has_row


def test_later_videos_are_aligned_with_earlier_ones() -> None:
    console = console_on(io.StringIO())
    table = ChangeTable(console, applied=True)
    first = table.render([enable(title="Long title")]).plain
    second = table.render([enable(title="Short", video_id="v2")]).plain
    assert first.index("live.") - first.index("~") == second.index("live.") - second.index("~")


def test_foreign_text_cannot_steer_the_terminal() -> None:
    text = shown(
        create(title="[bold]Tom's\u202e\x1b[2J", video_id="v\x1b1"),
        extra(existing=existing("\x07", id="9\n9")),
        columns=80,
    )
    assert "[bold]Tom's [2J" in text
    assert "9 9" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_the_table_has_no_secrets() -> None:
    assert no_secrets(shown(*PLAN), shown(*PLAN, columns=40, applied=True))


@settings(max_examples=40)
@given(
    columns=st.integers(20, 130),
    titles=st.lists(st.text("ab 漢字é▶-", min_size=1, max_size=60), min_size=1, max_size=4),
)
def test_no_line_is_wider_than_the_terminal_and_no_character_is_lost(
    columns: int, titles: list[str]
) -> None:
    changes = [extra(title=f"<{title}>", needs="prune") for title in titles]
    console = console_on(Terminal())
    console.width = columns
    rendered = ChangeTable(console, applied=False).render(changes)
    assert all(line.cell_len <= columns for line in rendered.split(allow_blank=True))
    squeezed = "".join(rendered.plain.split())
    for title in titles:
        assert "".join(f"<{title}>".split()) in squeezed
