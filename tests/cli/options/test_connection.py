from pathlib import Path

import pytest
import trustme

from restream_async import ConfigurationError
from restream_async.cli.errors import CliError, describe
from restream_async.cli.options.connection import ConnectionOptions, client_for
from tests.helpers.command_line import API_KEY


def trouble_with(**options: object) -> str:
    """Return what the command line says about options."""
    with pytest.raises((CliError, ConfigurationError)) as caught:
        client_for(ConnectionOptions(**options))  # type: ignore[arg-type]
    error = caught.value
    sentence = describe(error) if isinstance(error, ConfigurationError) else str(error)
    assert API_KEY not in sentence
    return sentence


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "set RESTREAM_BASE_URL (or --base-url), RESTREAM_PROJECT_ID (or --project-id), "
        "RESTREAM_API_KEY (or --api-key-file)" in trouble_with()
    )
    monkeypatch.setenv("RESTREAM_API_KEY", API_KEY)
    assert "RESTREAM_API_KEY" not in trouble_with(base_url="https://api.example.com")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"base_url": "api.example.com"},
            (
                "the base URL must have a scheme and a host, such as "
                "https://api.example.com (set it with --base-url or RESTREAM_BASE_URL)"
            ),
        ),
        (
            {"base_url": "http://api.example.com"},
            (
                "the base URL is plain http://, which would send the API key unencrypted: use "
                "https://, or pass --allow-http where the network is trusted (set it with "
                "--base-url or RESTREAM_BASE_URL)"
            ),
        ),
        (
            {"base_url": "https://user:pw@api.example.com"},
            (
                "the base URL must not contain a user name or password: the API key goes into "
                "RESTREAM_API_KEY (set it with --base-url or RESTREAM_BASE_URL)"
            ),
        ),
        (
            {"project_id": " "},
            (
                "the project id must not begin with U+0020 (space) (set it with --project-id or "
                "RESTREAM_PROJECT_ID)"
            ),
        ),
        (
            {"auth_scheme": "two words"},
            (
                '--auth-scheme must be one word, such as "Bearer", and must not contain U+0020 '
                "(space): it is character 4 (set it with --auth-scheme or RESTREAM_AUTH_SCHEME)"
            ),
        ),
        (
            {"base_url": "https://api.example.com/api/v1"},
            (
                'the base URL must end before "/api/v1", which is added to it: use '
                "https://api.example.com (set it with --base-url or RESTREAM_BASE_URL)"
            ),
        ),
        (
            {"proxy": "socks5://proxy.example.com:1080"},
            (
                "proxy is a SOCKS proxy, which is not supported: it must begin with http:// or "
                "https://, such as http://user:password@proxy.example.com:3128 "
                "(set it with --proxy)"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_explained_in_the_words_of_the_command_line(
    settings: pytest.MonkeyPatch, options: dict[str, str], sentence: str
) -> None:
    del settings
    given = {"base_url": "https://api.example.com", "project_id": "p1", **options}
    assert trouble_with(**given) == sentence


def test_a_key_with_its_scheme_before_it_leads_to_the_option(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"Bearer {API_KEY}\n")
    assert trouble_with(base_url="https://api.example.com", project_id="p1", api_key_file=path) == (
        'the API key begins with the scheme "Bearer": keep only the key in it, and set the scheme '
        "with --auth-scheme or RESTREAM_AUTH_SCHEME"
    )


@pytest.mark.parametrize(
    ("option", "variable", "host"),
    [
        (None, None, None),
        (None, "http://alice:word@proxy.example.com:3128", "http://proxy.example.com:3128"),
        (
            "http://other.example.com:1",
            "http://proxy.example.com:3128",
            "http://other.example.com:1",
        ),
    ],
)
def test_the_proxy_comes_from_the_option_else_from_the_environment(
    settings: pytest.MonkeyPatch, option: str | None, variable: str | None, host: str | None
) -> None:
    if variable is not None:
        settings.setenv("HTTPS_PROXY", variable)
    options = ConnectionOptions(base_url="https://api.example.com", project_id="p1", proxy=option)
    proxy = client_for(options)._settings.proxy  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert (proxy.url if proxy is not None else None) == host


def test_the_scheme_may_stand_in_the_environment(settings: pytest.MonkeyPatch) -> None:
    settings.setenv("RESTREAM_AUTH_SCHEME", "Token")
    client = client_for(ConnectionOptions(base_url="https://api.example.com", project_id="p1"))
    assert client._settings.authorization == f"Token {API_KEY}"  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def test_a_key_with_a_space_is_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{API_KEY} \n")
    sentence = trouble_with(base_url="https://api.example.com", project_id="p1", api_key_file=path)
    assert sentence.startswith("the API key must not end with U+0020 (space)")


def test_plain_http_is_permitted_where_it_is_asked_for(settings: pytest.MonkeyPatch) -> None:
    del settings
    options = ConnectionOptions(base_url="http://api.example.com", project_id="p1", allow_http=True)
    assert "api.example.com" in repr(client_for(options))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file or directory"),
        ("", "the file holds no valid PEM certificate"),
        ("no certificate", "the file holds no valid PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nxx", "the file holds no valid PEM certificate"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_one_sentence(
    settings: pytest.MonkeyPatch, tmp_path: Path, content: str | None, problem: str
) -> None:
    del settings
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    sentence = trouble_with(base_url="https://api.example.com", project_id="p1", ca_file=path)
    assert sentence == f"cannot read certificate authorities from {path}: {problem}"


def test_a_ca_file_is_taken(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del settings
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    options = ConnectionOptions(base_url="https://api.example.com", project_id="p1", ca_file=path)
    assert "api.example.com" in repr(client_for(options))
