import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from restream_async.cli import main
from tests.helpers.command_line import API_KEY, Cli, Ended, plain, pseudo_terminal

SECRET = "SECRET-of-nats"


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESTREAM_NATS_URL", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def rows(end: Ended) -> dict[str, tuple[str, str]]:
    """Return value and source by the name of the setting."""
    fields = [re.split(r"\s{2,}", line.strip()) for line in end.out.splitlines()]
    return {each[0]: (each[1], each[2]) for each in fields[2:] if len(each) == 3}


def settings_in(end: Ended) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(end.out)}


def test_each_setting_has_its_value_and_where_it_comes_from(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("RESTREAM_AUTH_SCHEME", "Token")
    end = cli("config", "--project-id", "p2")
    assert (end.code, end.err) == (0, "")
    assert rows(end) == {
        "base URL": ("http://127.0.0.1:9", "RESTREAM_BASE_URL"),
        "project": ("p2", "--project-id"),
        "API key": ("Token ***", "RESTREAM_API_KEY"),
        "auth scheme": ("Token", "RESTREAM_AUTH_SCHEME"),
        "proxy": ("none", "default"),
        "CA file": ("those of the system", "default"),
        "plain http": ("to this machine only", "default"),
        "--timeout": ("30 s for an attempt", "default of bulk"),
        "--attempts": ("5 for a restream", "default of bulk"),
        "--deadline": ("120 s for a restream", "default of bulk"),
        "--patience": ("300 s in an outage", "default of bulk"),
        "--max-in-flight": ("64 requests", "default of bulk"),
        "NATS server": ("none, only workers need it", "default"),
    }
    assert API_KEY not in end.out


def test_options_files_and_proxies_are_named(
    cli: Cli, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{API_KEY}-of-a-file\n")
    settings.setenv("HTTPS_PROXY", f"http://alice:{SECRET}@proxy.example:3128")
    options = (
        "--base-url",
        "https://api.example",
        "--api-key-file",
        key,
        "--auth-scheme",
        "Bearer",
    )
    end = cli("config", *options, "--allow-http", "--json")
    shown = settings_in(end)
    assert end.code == 0
    assert shown["base URL"]["source"] == "--base-url"
    assert (shown["API key"]["value"], shown["API key"]["source"]) == (
        "Bearer ***",
        "--api-key-file",
    )
    assert shown["auth scheme"]["source"] == "--auth-scheme"
    assert shown["proxy"]["value"] == "http://proxy.example:3128 with a login"
    assert shown["proxy"]["source"] == "HTTPS_PROXY"
    assert (shown["plain http"]["value"], shown["plain http"]["source"]) == (
        "allowed",
        "--allow-http",
    )
    assert not re.search(f"{API_KEY}|{SECRET}", end.out)

    end = cli("config", *options, "--proxy", "http://other.example:1", "--json")
    assert settings_in(end)["proxy"]["value"] == "http://other.example:1"
    assert settings_in(end)["proxy"]["source"] == "--proxy"


def test_what_is_missing_is_named_and_the_rest_is_shown(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.delenv("RESTREAM_API_KEY")
    settings.delenv("RESTREAM_BASE_URL")
    end = cli("config")
    assert end.code == 2
    assert "project    p1" in re.sub(" {4,}", "    ", end.out)
    assert end.out.splitlines()[-2:] == [
        "✗ the base URL is missing: set RESTREAM_BASE_URL, or pass --base-url",
        "✗ the API key is missing: set RESTREAM_API_KEY, or pass --api-key-file",
    ]
    found = settings_in(cli("config", "--json"))
    assert found["API key"]["source"] == "missing"
    assert found["auth scheme"]["value"] == "none, the key alone"


@pytest.mark.parametrize(
    ("options", "name", "problem"),
    [
        (["--base-url", f"https://u:{SECRET}@h"], "base URL", "must not contain a user name"),
        (["--base-url", "https://exa_mple..com"], "base URL", "has a host that no DNS name"),
        (["--project-id", " p1"], "project", "the project id must not begin with U+0020"),
        (["--project-id", API_KEY], "project", "is the same as the API key, which is a secret"),
        (["--auth-scheme", f"Bearer {API_KEY}"], "auth scheme", "--auth-scheme must be one word"),
        (["--auth-scheme", ""], "auth scheme", "--auth-scheme must be one word"),
        (["--proxy", f"socks5://u:{SECRET}@h"], "proxy", "is a SOCKS proxy"),
        (
            ["--ca-file", "nothing.pem"],
            "CA file",
            "cannot read certificate authorities from nothing",
        ),
        (["--api-key-file", "nothing"], "API key", "cannot read the API key from nothing"),
        (["--nats-url", f"nats://u:{SECRET}@h\n"], "NATS server", "the address of the NATS server"),
        (
            ["--nats-nkey", "seed"],
            "NATS server",
            "the NATS server is missing: set RESTREAM_NATS_URL",
        ),
    ],
)
def test_a_wrong_setting_is_explained_without_being_shown(
    cli: Cli, settings: pytest.MonkeyPatch, options: list[str], name: str, problem: str
) -> None:
    del settings
    end = cli("config", *options, "--json")
    assert end.code == 2
    wrong = {each: shown for each, shown in settings_in(end).items() if shown["problem"]}
    assert [*wrong] == [name]
    assert problem in wrong[name]["problem"]
    assert wrong[name]["value"] in {"not shown", "***", "", "nothing.pem"}
    assert not re.search(f"{API_KEY}|{SECRET}", end.out)


def test_a_wrong_proxy_of_the_environment_is_explained(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("HTTPS_PROXY", f"ftp://u:{SECRET}@h")
    shown = settings_in(cli("config", "--base-url", "https://api.example", "--json"))
    assert shown["proxy"]["source"] == "the environment"
    assert (
        "the proxy in HTTPS_PROXY must begin with http:// or https://" in shown["proxy"]["problem"]
    )


def test_a_wrong_api_key_is_one_problem(cli: Cli, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("RESTREAM_API_KEY", f"Bearer {API_KEY}")
    end = cli("config", "--json")
    wrong = {each: shown for each, shown in settings_in(end).items() if shown["problem"]}
    assert [*wrong] == ["API key"]
    assert 'the API key begins with the scheme "Bearer"' in wrong["API key"]["problem"]
    assert API_KEY not in end.out


def test_an_auth_scheme_that_is_the_key_is_not_shown(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("RESTREAM_AUTH_SCHEME", API_KEY)
    end = cli("config")
    assert rows(end)["auth scheme"] == ("***", "RESTREAM_AUTH_SCHEME")
    assert API_KEY not in end.out


def test_the_variable_for_authorities_is_named(
    cli: Cli, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    shown = settings_in(cli("config", "--json"))["CA file"]
    assert (shown["value"], shown["source"]) == (str(tmp_path / "none.pem"), "SSL_CERT_FILE")
    assert "cannot read certificate authorities" in shown["problem"]


def test_the_settings_of_nats_are_shown_without_the_login(
    cli: Cli, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.setenv("RESTREAM_NATS_URL", f"tls://ann:{SECRET}@nats.example:4222")
    settings.setenv("RESTREAM_NATS_CA", str(tmp_path / "ca.pem"))
    end = cli("config", "--nats-creds", "user.creds", "--stream", "S")
    shown = rows(end)
    assert end.code == 0
    assert shown["NATS server"] == ("tls://nats.example:4222", "RESTREAM_NATS_URL")
    assert shown["NATS CA file"] == (str(tmp_path / "ca.pem"), "RESTREAM_NATS_CA")
    assert shown["NATS credentials"] == ("user.creds", "--nats-creds")
    assert shown["NATS stream"] == ("S", "--stream")
    assert shown["NATS dead letters"] == ("restreams.dead", "default")
    assert SECRET not in end.out
    assert rows(cli("config", "--nats-url", "nats://h"))["NATS server"][1] == "--nats-url"


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_nothing_is_cut_on_a_terminal(cli: Cli, settings: pytest.MonkeyPatch, columns: int) -> None:
    del cli
    url = "https://a-rather-long-name.of-a-service.in-a-region.example.com:8443/vp"
    settings.setenv("COLUMNS", str(columns))
    with pseudo_terminal(settings) as text:
        assert main(["config", "--base-url", url, "--project-id", ""]) == 2
    lines = plain(text()).splitlines()
    assert max(map(cell_len, lines)) <= columns
    together = "".join("".join(lines).split())
    assert "projectismissing:setRESTREAM_PROJECT_ID,orpass--project-id" in together
    assert "RESTREAM_BASE_URL" not in together
    assert "--base-url" in together
    for piece in ("a-rather-long-name", ":8443/vp", "300sinanoutage", "defaultofbulk"):
        assert piece in together
