import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, CtrlC, Terminal, create_with


def test_delete_without_a_terminal_needs_a_yes(cli: Cli, sandbox: Sandbox) -> None:
    create_with(cli)
    end = cli("delete", "1", stdin=b"y\n")
    assert end.code == 2
    assert "without a terminal there is no way to ask: pass --yes" in end.err
    assert len(sandbox.stored) == 1
    end = cli("delete", "1", "--yes")
    assert (end.code, end.out) == (0, "Deleted restream 1.\n")
    assert not sandbox.stored


@pytest.mark.parametrize(("answer", "left"), [("y", 0), (" YES ", 0), ("n", 1), ("", 1)])
def test_delete_asks_on_a_terminal(cli: Cli, sandbox: Sandbox, answer: str, left: int) -> None:
    create_with(cli)
    end = cli("delete", "1", stdin=Terminal(f"{answer}\n"))
    assert end.code == 0
    assert len(sandbox.stored) == left
    assert end.err == f"Delete restream 1? [y/N] {'Nothing was deleted.' + chr(10) if left else ''}"


def test_ctrl_c_answers_a_question_with_no(cli: Cli, sandbox: Sandbox) -> None:
    create_with(cli)
    end = cli("delete", "1", stdin=CtrlC())
    assert end.code == 130
    assert end.err == "Delete restream 1? [y/N] \nError: interrupted: nothing was deleted\n"
    assert len(sandbox.stored) == 1
