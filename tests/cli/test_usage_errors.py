import pytest

from tests.helpers.command_line import (
    Cli,
)


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["list", "-dQw4w9"], "list -- VIDEO_ID"),
        (["list", "--json", "--v1"], "list -- VIDEO_ID"),
        (["delete", "-5", "--yes"], "delete -- ID"),
        (["toggle", "-1 2"], "toggle -- ID"),
        (["undo", "-x.journal"], "undo -- PATH"),
    ],
)
def test_an_id_that_begins_with_a_dash_leads_to_two_dashes(
    cli: Cli, words: list[str], typed: str
) -> None:
    end = cli(*words)
    assert end.code == 2
    assert f" begins with a dash, put -- before it: restream-async {typed}; see" in end.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list"], "missing argument 'VIDEO_ID'; see restream-async list --help"),
        (["list", "v1", "--jsn"], "no such option: --jsn (Possible options: --json); see"),
        (["create", "-x"], "no such option: -x; see restream-async create --help"),
        (["sandbox", "--port", "x"], "invalid value for '--port': "),
        (["sandbox", "--port", "70000"], "invalid value for '--port': "),
        (["bulk", "x", "--in-doubt", "guess"], "'--in-doubt': 'guess' is not one of"),
        (["creat"], "no such command 'creat'. Did you mean 'create'? See restream-async --help"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(cli: Cli, words: list[str], sentence: str) -> None:
    end = cli(*words)
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith("Error: ")
    assert end.err.count("\n") == 1
    assert sentence in end.err
    # Some versions of typer say so.
    assert "Input should" not in end.err
    assert "Value error" not in end.err
