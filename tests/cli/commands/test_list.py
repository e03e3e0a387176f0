from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli


def test_list_of_nothing_says_so(cli: Cli, sandbox: Sandbox) -> None:
    del sandbox
    end = cli("list", "v9")
    assert (end.code, end.out, end.err) == (0, "", "v9 has no restreams.\n")
    assert cli("list", "v9", "--json").out == "[]\n"
