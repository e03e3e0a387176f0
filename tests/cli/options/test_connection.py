import getpass
import io
from pathlib import Path

import pytest
import trustme

from restream_async.cli.errors import CliError, told
from restream_async.cli.options.connection import client_for
from restream_async.cli.options.secrets import secret_in, stream_key
from restream_async.cli.options.shared import ConnectionOptions, duration, seconds
from restream_async.errors import Call, JournalError, NotFoundError
from tests.helpers.command_line import API_KEY, STREAM_KEY


def trouble_with(**options: object) -> str:
    with pytest.raises(CliError) as caught:
        client_for(ConnectionOptions(**options))  # type: ignore[arg-type]
    assert API_KEY not in str(caught.value)
    return str(caught.value)


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


def test_words_of_python_are_translated_but_not_in_paths_urls_and_what_the_service_said() -> None:
    error = JournalError("the journal /x/api_key.db is damaged: run again with ensure=True")
    assert told(error) == "the journal /x/api_key.db is damaged: run again with --ensure"
    call = Call("POST", "/api/v1/base_url/restreams", "api_key")
    note = "check base_url, project_id and the ids in the route"
    refused = NotFoundError(call, status=404, reason="Not Found", errors=["base_url"], note=note)
    assert told(refused) == (
        f"404 Not Found (base_url): {call}, 0 attempts; "
        "check the base URL, the project id and the id of the live video"
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
        ("", "it holds no certificate in PEM, or a damaged one"),
        ("no certificate", "it holds no certificate in PEM, or a damaged one"),
        ("-----BEGIN CERTIFICATE-----\nxx", "it holds no certificate in PEM, or a damaged one"),
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_file_may_begin_with_a_byte_order_mark_and_end_with_a_line_break(
    tmp_path: Path, ending: str, encoding: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes((STREAM_KEY + ending).encode(encoding))
    assert secret_in(path, "the stream key") == STREAM_KEY


def test_only_one_line_break_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{STREAM_KEY}\n\n")
    assert secret_in(path, "the stream key") == f"{STREAM_KEY}\n"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty: it should hold the API key"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "should hold the API key, but is UTF-16: save it as UTF-8"),
        (b"k\0e\0y\0", "is UTF-16"),
        (b"k\0\0\0e\0\0\0", "is UTF-32"),
        (b"\xe9", "should hold the API key, but is not UTF-8: is it the right file"),
        (b"x" * 70_000, "is too long to hold the API key: is it the right file?"),
    ],
)
def test_a_file_that_holds_no_secret_is_one_sentence(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(CliError, match=sentence):
        secret_in(path, "the API key")


def test_a_secret_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read the API key from .*: no such file"):
        secret_in(tmp_path / "nothing", "the API key")


def test_a_secret_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STREAM_KEY.encode())))
    assert stream_key(Path("-")) == STREAM_KEY


def test_the_stream_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", STREAM_KEY)
    assert stream_key(None) == STREAM_KEY


def test_a_file_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", "another one")
    (tmp_path / "key").write_text(STREAM_KEY)
    assert stream_key(tmp_path / "key") == STREAM_KEY


def test_on_a_terminal_the_stream_key_is_asked_for_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Typing(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return STREAM_KEY

    monkeypatch.setattr("sys.stdin", Typing())
    monkeypatch.setattr(getpass, "getpass", ask)
    assert stream_key(None) == STREAM_KEY
    assert asked == ["Stream key (not shown): "]


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(STREAM_KEY))
    with pytest.raises(CliError, match="set RESTREAM_STREAM_KEY, or pass --stream-key-file"):
        stream_key(None)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_time_out_must_be_a_number_of_seconds_above_nought(text: str) -> None:
    with pytest.raises(Exception, match="is not a number of seconds above 0"):
        seconds(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon"])
def test_a_latency_must_be_a_number_of_seconds(text: str) -> None:
    with pytest.raises(Exception, match="is not a number of seconds"):
        duration(text)


def test_seconds_may_have_a_fraction() -> None:
    assert seconds("0.5") == 0.5
    assert duration("0") == 0
