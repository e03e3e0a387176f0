import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli


def test_delete_says_when_the_service_did_not_do_it(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    async def no(*_: object) -> bool:
        return False

    monkeypatch.setattr("restream_async.RestreamClient.delete", no)
    end = cli("delete", "1", "--yes")
    assert end.code == 1
    assert end.err == (
        "Error: the service did not delete restream 1, and gave no reason: check whether it still "
        "exists with restream-async list VIDEO_ID\n"
    )
