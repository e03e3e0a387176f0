from collections.abc import Mapping
from typing import Any, Final

import pytest

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async.settings import Settings, is_count, is_positive

COMPLETE: Final[Mapping[str, Any]] = {
    "base_url": "https://api.example.com",
    "project_id": "p1",
    "api_key": "key-0c3f9a1d",
}
VARIABLES: Final = {name: f"RESTREAM_{name.upper()}" for name in COMPLETE}


@pytest.fixture(autouse=True)
def _clean_environment(  # pyright: ignore[reportUnusedFunction] - autouse
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - right or wrong
    values: dict[str, Any] = {**COMPLETE, "auth_scheme": None, "allow_http": False, **changes}
    return Settings.resolve(**values)


def client(**changes: Any) -> RestreamClient:  # noqa: ANN401 - right or wrong
    values: dict[str, Any] = {**COMPLETE, **changes}
    return RestreamClient(**values)


def wrong(**changes: Any) -> str:  # noqa: ANN401 - wrong, mostly
    """Return what a client says of a wrong setting."""
    with pytest.raises(ConfigurationError) as caught:
        client(**changes)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return str(caught.value)


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named_with_both_ways_to_set_it(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = f"{name} is missing: pass {name}=… to RestreamClient or set {VARIABLES[name]}"
    assert wrong(**{name: value}) == expected
    monkeypatch.setenv(VARIABLES[name], "")
    assert wrong(**{name: value}) == expected


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize(("value", "kind"), [(5, "int"), (b"p1", "bytes"), (["p1"], "list")])
def test_a_setting_is_a_string(name: str, value: object, kind: str) -> None:
    assert wrong(**{name: value}) == f"{name} must be a string, not {kind}"


@pytest.mark.parametrize("name", COMPLETE)
def test_the_environment_stands_in_for_an_argument(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLES[name], COMPLETE[name])
    assert settings(**{name: None}) == settings()
    client(**{name: None})


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, variable in VARIABLES.items():
        monkeypatch.setenv(variable, f"https://{name}.example.com")
    assert settings() == Settings(
        base_url="https://api.example.com",
        project_id="p1",
        authorization="key-0c3f9a1d",
        api_key="key-0c3f9a1d",
        secrets=("key-0c3f9a1d",),
    )


def test_an_empty_argument_is_missing_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTREAM_API_KEY", "key-0c3f9a1d")
    assert "api_key is missing" in wrong(api_key="")


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("key-0c3f9a1d\n", "must not end with U+000A (line break)"),
        ("\nkey-0c3f9a1d", "must not begin with U+000A (line break)"),
        ("key-0c3f9a1d\r\nX-Admin: 1", "must not contain U+000D (carriage return)"),
        (" key-0c3f9a1d", "must not begin with U+0020 (space)"),
        ("key 0c3f9a1d", "must not contain U+0020 (space): it is character 4"),
        ("key\t0c3f9a1d", "must not contain U+0009 (tab)"),
        ("key-0c3f9a1d\x00", "must not end with U+0000 (control character)"),
        ("key-0c3f9a1d\x7f", "must not end with U+007F (control character)"),
        ("kéy-0c3f9a1d", "contains a character that is not ASCII, which cannot stand in a header"),
        ("key\u00a00c3f9a1d", "must not contain U+00A0 (no-break space)"),
        ("key-0c3f9a1d\u200b", "must not end with U+200B (zero width space)"),
        ("\ufeffkey-0c3f9a1d", "must not begin with U+FEFF (byte order mark)"),
        ("key-0c3f9a1d\ud800", "must not end with U+D800 (half a surrogate pair)"),
        ("   ", "must not begin with U+0020 (space)"),
    ],
    ids=ascii,
)
def test_an_api_key_that_cannot_stand_in_a_header_is_refused_and_not_repeated(
    key: str, problem: str
) -> None:
    said = wrong(api_key=key)
    assert said.startswith(f"api_key {problem}")
    assert said.endswith("(set it with api_key=… or RESTREAM_API_KEY)")
    assert "0c3f9a1d" not in said


def test_an_api_key_from_the_environment_is_checked_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTREAM_API_KEY", "key-0c3f9a1d\n")
    said = wrong(api_key=None)
    assert said.startswith("api_key must not end with U+000A (line break)")
    assert "0c3f9a1d" not in said


@pytest.mark.parametrize(
    "key", ["k", "eyJ0.eyJz-_.c2ln", "a+b/c==", "!#$%&'()*,:;<>?@[]^`{|}~\"\\"]
)
def test_any_visible_ascii_is_an_api_key(key: str) -> None:
    assert settings(api_key=key).authorization == key


@pytest.mark.parametrize(
    ("scheme", "authorization"),
    [
        (None, "key-0c3f9a1d"),
        ("Bearer", "Bearer key-0c3f9a1d"),
        ("ApiKey", "ApiKey key-0c3f9a1d"),
        ("X-Key_1.0", "X-Key_1.0 key-0c3f9a1d"),
    ],
)
def test_an_auth_scheme_stands_before_the_key(scheme: str | None, authorization: str) -> None:
    assert settings(auth_scheme=scheme).authorization == authorization


def test_an_auth_scheme_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTREAM_AUTH_SCHEME", "Token")
    assert settings().authorization == "Token key-0c3f9a1d"
    assert settings(auth_scheme="Bearer").authorization == "Bearer key-0c3f9a1d"
    monkeypatch.setenv("RESTREAM_AUTH_SCHEME", "")
    assert settings().authorization == "key-0c3f9a1d"
    monkeypatch.setenv("RESTREAM_AUTH_SCHEME", "two words")
    assert wrong() == NO_SCHEME.format(", and must not contain U+0020 (space): it is character 4")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "Token", "ApiKey", "Api-Key"])
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_key_with_its_scheme_before_it_leads_to_auth_scheme(
    scheme: str, *, by_environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{scheme} key-0c3f9a1d"
    monkeypatch.setenv("RESTREAM_API_KEY", key)
    assert wrong(api_key=None if by_environment else key) == (
        f'api_key begins with the scheme "{scheme}": keep only the key in it, and set the scheme '
        "with auth_scheme=… or RESTREAM_AUTH_SCHEME"
    )


NO_SCHEME: Final = (
    'auth_scheme must be one word, such as "Bearer"{} (set it with auth_scheme=… or '
    "RESTREAM_AUTH_SCHEME)"
)


@pytest.mark.parametrize("scheme", ["", "Bearer:", "Bärer", 5, True, b"Bearer"])
def test_an_auth_scheme_is_one_word(scheme: object) -> None:
    assert wrong(auth_scheme=scheme) == NO_SCHEME.format("")


@pytest.mark.parametrize(
    ("scheme", "problem"),
    [
        (" ", "begin with U+0020 (space)"),
        ("Bearer ", "end with U+0020 (space)"),
        ("Bearer\n", "end with U+000A (line break)"),
        ("Bearer\u200b", "end with U+200B (zero width space)"),
    ],
)
def test_a_stray_character_in_an_auth_scheme_is_named(scheme: str, problem: str) -> None:
    assert wrong(auth_scheme=scheme) == NO_SCHEME.format(f", and must not {problem}")


@pytest.mark.parametrize(
    "project",
    [" ", "\u3000", "p1\n", "p\t1", "p\x00", "p\ud800", ".", "..", "p1 ", "p1\u200b", "p\u00a01"],
    ids=ascii,
)
def test_a_project_id_that_cannot_stand_in_a_path_is_refused(project: str) -> None:
    said = wrong(project_id=project)
    assert said.startswith("project_id must not ")
    assert said.endswith("(set it with project_id=… or RESTREAM_PROJECT_ID)")


def test_the_api_key_as_project_id_is_refused_because_routes_are_shown() -> None:
    said = wrong(project_id="key-0c3f9a1d", api_key="key-0c3f9a1d")
    assert said.startswith("project_id is the same as api_key, which is a secret")
    assert "key-0c3f9a1d" not in said


@pytest.mark.parametrize("project", ["p1", "a/b", "a b", "проект", "..."])
def test_any_other_project_id_is_kept(project: str) -> None:
    assert settings(project_id=project).project_id == project


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com///", "https://api.example.com"),
        ("https://api.example.com/vp", "https://api.example.com/vp"),
        ("https://api.example.com/vp/v2/", "https://api.example.com/vp/v2"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("HTTPS://API.example.com", "HTTPS://API.example.com"),
        ("https://[2001:db8::1]:8443/vp", "https://[2001:db8::1]:8443/vp"),
        ("https://bücher.example", "https://bücher.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://10.0.0.1", "https://10.0.0.1"),
    ],
)
def test_a_base_url_is_kept_without_slashes_at_its_end(url: str, kept: str) -> None:
    assert settings(base_url=url).base_url == kept
    assert kept in repr(client(base_url=url))


NO_URL: Final = "must have a scheme and a host, such as https://api.example.com"
NO_HTTP: Final = "must begin with https:// or http://, such as https://api.example.com"
NO_HOST: Final = "must have a host that can be read"
NO_PORT: Final = "must have a port from 1 to 65535, or none"
NO_USER: Final = "must not contain a user name or password"
NO_QUERY: Final = "must end with its path, without a query or fragment"
NO_ROUTE: Final = (
    'must end before "/api/v1", which is added to it: use https://api.example.com (set it'
)
NO_TLS: Final = "is plain http://, which would send the API key unencrypted"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("api.example.com", NO_URL),
        ("//api.example.com", NO_URL),
        ("api.example.com:443", NO_URL),
        ("ftp://api.example.com", NO_HTTP),
        ("wss://api.example.com", NO_HTTP),
        ("file:///etc/passwd", NO_URL),
        ("https://", NO_URL),
        ("https:///vp", NO_URL),
        ("https://:443", NO_URL),
        ("https:api.example.com", NO_URL),
        ("/vp", NO_URL),
        (" ", "must not begin with U+0020 (space)"),
        ("https://api.example.com\n", "must not end with U+000A (line break)"),
        ("https://api.exam\nple.com", "must not contain U+000A (line break)"),
        ("https://api.example.com\r\n/vp", "must not contain U+000D (carriage return)"),
        ("https://api.example.com\t", "must not end with U+0009 (tab)"),
        (" https://api.example.com", "must not begin with U+0020 (space)"),
        ("https://api.example.com/a b", "must not contain U+0020 (space)"),
        ("https://api.example.com/\x00", "must not end with U+0000 (control character)"),
        ("https://api.example.com\u2028", "must not end with U+2028 (line separator)"),
        ("https://api.example.com\u200b", "must not end with U+200B (zero width space)"),
        ("https://api.example.com:0", NO_PORT),
        ("https://api.example.com:65536", NO_PORT),
        ("https://api.example.com:-1", NO_PORT),
        ("https://api.example.com:https", NO_PORT),
        ("https://[2001:db8::1", NO_HOST),
        ("https://[nonsense]", NO_HOST),
        ("https://user:sEcReT@api.example.com", NO_USER),
        ("https://sEcReT@api.example.com", NO_USER),
        ("https://@api.example.com", NO_USER),
        ("http://localhost@api.example.com", NO_USER),
        ("https://api.example.com?key=sEcReT", NO_QUERY),
        ("https://api.example.com/vp?", NO_QUERY),
        ("https://api.example.com/vp#top", NO_QUERY),
        ("https://api.example.com/vp#", NO_QUERY),
        ("http://localhost#@api.example.com", NO_QUERY),
        ("http://api.example.com", NO_TLS),
        ("HTTP://api.example.com", NO_TLS),
        ("http://localhost.example.com", NO_TLS),
        ("http://127.0.0.1.example.com", NO_TLS),
        ("http://10.0.0.1", NO_TLS),
        ("http://0.0.0.0", NO_TLS),
        ("http://[2001:db8::1]", NO_TLS),
        ("https://api.example.com/api/v1", NO_ROUTE),
        ("https://api.example.com/api/v1/", NO_ROUTE),
        ("https://api.example.com/API/V1", NO_ROUTE),
        ("https://api.example.com/api/v1/p1/restreams", NO_ROUTE),
        ("https://exa_mple..com", "has a host that no DNS name or address can be"),
        ("https://api\\.example.com", "has a host that no DNS name or address can be"),
    ],
    ids=ascii,
)
def test_a_malformed_base_url_is_refused_and_not_repeated(url: str, problem: str) -> None:
    said = wrong(base_url=url)
    assert said.startswith(f"base_url {problem}")
    assert "sEcReT" not in said


def test_a_base_url_with_the_route_keeps_what_stands_before_it() -> None:
    assert "use https://api.example.com:8443/vp (set" in wrong(
        base_url="https://api.example.com:8443/vp/api/v1/"
    )
    kept = "https://api.example.com/api/v10"
    assert settings(base_url=kept).base_url == kept


@pytest.mark.parametrize("problem_url", ["api.example.com", "http://api.example.com"])
def test_a_malformed_base_url_comes_with_both_ways_to_set_it(
    problem_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTREAM_BASE_URL", problem_url)
    assert wrong(base_url=None).endswith("(set it with base_url=… or RESTREAM_BASE_URL)")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://LOCALHOST:8080",
        "http://127.0.0.1:8080/vp",
        "http://127.8.9.10",
        "http://[::1]:8080",
    ],
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert settings(base_url=url).base_url == url


def test_plain_http_elsewhere_has_to_be_allowed() -> None:
    url = "http://api.internal:8080"
    assert settings(base_url=url, allow_http=True).base_url == url
    client(base_url=url, allow_http=True)


def test_allowing_http_allows_nothing_else() -> None:
    for url in ("ftp://api.example.com", "http://user@api.example.com", "http://h?x"):
        with pytest.raises(ConfigurationError):
            settings(base_url=url, allow_http=True)


@pytest.mark.parametrize(
    "value", [0, -1, -0.5, float("nan"), float("inf"), 10**400, True, None, "30"], ids=repr
)
def test_a_timeout_is_a_number_of_seconds_above_0(value: object) -> None:
    assert wrong(timeout=value) == "timeout must be a number of seconds above 0"
    assert not is_positive(value)


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, float("nan"), True, None, "64"], ids=repr)
def test_max_in_flight_is_a_whole_number_from_1(value: object) -> None:
    assert wrong(max_in_flight=value) == "max_in_flight must be a whole number from 1"
    assert not is_count(value)


@pytest.mark.parametrize("value", ["", "Confirm", "retry", None, True, ["confirm"]], ids=repr)
def test_in_doubt_is_one_of_three(value: object) -> None:
    assert wrong(in_doubt=value) == "in_doubt must be one of 'confirm', 'resend', 'raise'"


@pytest.mark.parametrize(
    "setting",
    [
        {"timeout": 0.001},
        {"timeout": 1},
        {"timeout": 1e9},
        {"patience": 0.001},
        {"patience": 86_400},
        {"max_in_flight": 1},
        {"max_in_flight": 100_000},
        {"in_doubt": "confirm"},
        {"in_doubt": "resend"},
        {"in_doubt": "raise"},
        {"retry": RetryPolicy(attempts=1)},
    ],
    ids=repr,
)
def test_a_setting_in_range_is_taken(setting: dict[str, Any]) -> None:
    client(**setting)


def test_nothing_that_holds_settings_shows_the_key() -> None:
    told = "(base_url='https://api.example.com', project_id='p1')"
    assert repr(client(auth_scheme="Bearer")) == f"RestreamClient{told}"
    assert repr(settings(auth_scheme="Bearer")) == f"Settings{told}"
