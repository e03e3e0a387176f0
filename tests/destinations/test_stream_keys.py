"""A stream key comes from a variable, from a file, or from a column of the list."""

from collections.abc import Callable
from pathlib import Path

import pytest

from restream_async import InvalidRestreamError
from restream_async.destinations import KeyFromColumn, KeyFromFile, KeyFromVariable

UNSAFE = ["..", ".hidden", "../key", "a/b", "a\\b", "a\0b", "a\nb", "\ud800"]


def texts(**columns: str) -> Callable[[str], str]:
    return lambda name: columns.get(name, "")


def problem_of(source: KeyFromColumn | KeyFromFile | KeyFromVariable, **columns: str) -> str:
    with pytest.raises(InvalidRestreamError) as caught:
        source.key(texts(**columns))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert caught.value.field == "stream_key"
    return caught.value.reason


def test_a_key_is_in_the_variable_of_a_column() -> None:
    source = KeyFromVariable("KEY_{x}", {"KEY_A": "key-a", "KEY_B": "key-b", "KEY_C": ""})

    assert [source.key(texts(x=x)) for x in "AB"] == ["key-a", "key-b"]
    assert problem_of(source, x="C") == "is missing: set the variable KEY_{x}"
    assert problem_of(source) == "needs a text in the column x"
    assert source.columns == {"x"}
    assert "key-a" not in repr(source)


def test_a_key_is_in_the_file_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a").write_text("key-a\n")
    source = KeyFromFile("keys/{x}", tmp_path)

    assert source.key(texts(x="a")) == "key-a"
    assert problem_of(source, x="b") == (
        "is missing: the file keys/{x} cannot be read: No such file or directory"
    )
    assert source.columns == {"x"}


def test_the_path_of_a_file_may_be_absolute(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("key-a")

    assert KeyFromFile(str(tmp_path / "{x}"), Path("elsewhere")).key(texts(x="a")) == "key-a"


def test_a_key_file_is_read_once(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(f"key-{name}")
    source = KeyFromFile("{x}", tmp_path)

    before = [source.key(texts(x=x)) for x in "ab"]
    for name in "ab":
        (tmp_path / name).unlink()

    assert [source.key(texts(x=x)) for x in "ab"] == before == ["key-a", "key-b"]


@pytest.mark.parametrize("value", UNSAFE)
def test_a_column_leads_to_no_other_folder_and_to_no_other_kind_of_name(
    value: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("secret")
    (tmp_path / "folder").mkdir()
    sources = KeyFromFile("{x}", tmp_path / "folder"), KeyFromVariable("K_{x}", {})

    for source in sources:
        assert problem_of(source, x=value) == (
            "cannot be found: the column x, which is part of a name, must not begin with a dot or "
            "hold a slash or an invisible character"
        )


def test_a_key_is_in_a_column() -> None:
    source = KeyFromColumn("k")

    assert source.key(texts(k="key-a")) == "key-a"
    assert problem_of(source) == "needs a text in the column k"
    assert source.columns == {"k"}
