import sys

import pytest
from rich.cells import cell_len

from restream_async.cli.doctor.rendering import json_fields, print_result
from restream_async.cli.doctor.results import Result, Status
from restream_async.cli.output.console import console_on
from tests.helpers.command_line import plain, pseudo_terminal

FAILED = Result(
    check="TCP",
    status=Status.FAILED,
    detail="no connection to api.example.com port 443 (Connection refused)",
    advice="Check the host and the port in the base URL (RESTREAM_BASE_URL or --base-url), and the "
    "firewalls in between.",
)


def shown_on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pseudo_terminal(monkeypatch) as text:
        print_result(console_on(sys.stdout), FAILED)
    return plain(text()).splitlines()


def test_on_a_terminal_of_80_columns_the_texts_stand_beside_the_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shown_on_a_terminal(80, monkeypatch) == [
        "failed   TCP: no connection to api.example.com port 443 (Connection refused)",
        "         Check the host and the port in the base URL (RESTREAM_BASE_URL or",
        "         --base-url), and the firewalls in between.",
    ]


def test_on_a_terminal_of_40_columns_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown_on_a_terminal(40, monkeypatch)
    assert max(map(cell_len, lines)) <= 40
    assert " ".join(" ".join(lines).split()) == (f"failed TCP: {FAILED.detail} {FAILED.advice}")
    assert [line[:2] for line in lines[1:]] == ["  "] * (len(lines) - 1)


def test_elsewhere_each_text_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(console_on(sys.stdout), FAILED)
    assert capsys.readouterr().out == f"failed   TCP: {FAILED.detail}\n         {FAILED.advice}\n"


def test_without_advice_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(console_on(sys.stdout), Result(check="TLS", status=Status.OK, detail="fine"))
    assert capsys.readouterr().out == "ok       TLS: fine\n"


def test_a_text_from_outside_cannot_steer_the_terminal() -> None:
    fields = json_fields(Result(check="HTTP", status=Status.OK, detail="a\x1b[2Jb\nc"))
    assert fields == {"check": "HTTP", "status": "ok", "detail": "a [2Jb c", "advice": ""}
