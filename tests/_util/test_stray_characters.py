import sys
import unicodedata

import pytest

from restream_async._util.stray_characters import Inside, stray, trimmed


@pytest.mark.parametrize("inside", ["text", "spaces", "visible"])
def test_no_text_begins_or_ends_with_a_space_or_control_character(inside: Inside) -> None:
    characters = list(map(chr, range(sys.maxunicode + 1)))
    spaces = {each for each in characters if each.isspace()}
    controls = {each for each in characters if unicodedata.category(each) == "Cc"}
    assert len(spaces - controls) > 15
    for space in spaces | controls:
        assert stray(f"{space}a", inside).startswith("must not begin with U+")
        assert stray(f"a{space}", inside).startswith("must not end with U+")
        assert trimmed(f"{space}\u200b{space}a b\u200b{space}") == "a b"


@pytest.mark.parametrize("end", "!~¡\u1fff\u200c")
def test_the_neighbours_of_what_must_not_stand_at_an_end_may(end: str) -> None:
    # The joiner inside makes it look at the ends.
    assert stray(f"{end}a\u200db{end}", "text") == ""


@pytest.mark.parametrize(
    ("text", "inside", "problem"),
    [
        ("", "visible", ""),
        ("a b", "visible", "must not contain U+0020 (space): it is character 2"),
        ("a b", "spaces", ""),
        ("a\u200bb", "spaces", "must not contain U+200B (zero width space): it is character 2"),
        ("a\u200bb", "text", ""),
        ("a\ufeffb", "text", "must not contain U+FEFF (byte order mark): it is character 2"),
        ("a\u200d", "text", ""),
        ("a\u200d", "spaces", "must not end with U+200D (zero width joiner)"),
        (
            "a" * 1233 + "\x07b",
            "text",
            "must not contain U+0007 (control character): it is character 1,234",
        ),
    ],
)
def test_a_stray_character_is_named_with_its_place(text: str, inside: Inside, problem: str) -> None:
    assert stray(text, inside) == problem
