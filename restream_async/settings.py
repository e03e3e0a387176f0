"""The settings of a client: from arguments, else from the environment, and checked."""

import os
import re
import sys
from typing import Final, Literal, TypeAlias, cast, get_args
from urllib.parse import SplitResult, urlsplit

import attrs
from yarl import URL

from restream_async._proxy import Proxy, is_loopback, keeps_secret, proxy_for
from restream_async._util.stray_characters import stray
from restream_async._util.urls import wrong_address
from restream_async.errors import ConfigurationError

InDoubt: TypeAlias = Literal["confirm", "resend", "raise"]

_EXAMPLE: Final = "https://api.example.com"
# A token of RFC 9110, section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SCHEME: Final = re.compile(r"(bearer|basic|token|apikey|api-key)\s+\S", re.IGNORECASE)
_ROUTE: Final = re.compile(r"/api/v1(?=/|\Z)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Settings:
    """The address and the credentials of the service.

    Attributes:
        base_url: scheme, host and perhaps a path, without a slash at the end.
        project_id: the project that owns the restreams.
        api_key: the secret of the project.
        authorization: the value of the `Authorization` header.
        secrets: what no text may repeat.
        proxy: the forward proxy to send requests through, if there is one.

    """

    base_url: str
    project_id: str
    api_key: str = attrs.field(repr=False)
    authorization: str = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)
    proxy: Proxy | None = attrs.field(default=None, repr=False)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the service."""
        parts = urlsplit(self.base_url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @classmethod
    def resolve(  # noqa: PLR0913 - one keyword for each setting
        cls,
        *,
        base_url: str | None,
        project_id: str | None,
        api_key: str | None,
        auth_scheme: str | None,
        allow_http: bool,
        proxy: str | URL | None = None,
        trust_env: bool = False,
    ) -> "Settings":
        """Take each value from its argument, else from its environment variable.

        Raises:
            ConfigurationError: one is missing or malformed.

        """
        for name, flag in (("allow_http", allow_http), ("trust_env", trust_env)):
            if type(flag) is not bool:
                raise ConfigurationError(f"{name} must be True or False")
        key = _api_key(api_key)
        scheme = _scheme(auth_scheme)
        project = _project_id(project_id, key)
        base = _base_url(base_url, allow_http=allow_http)
        through = proxy_for(base, proxy, trust_env=trust_env)
        if through is not None and not (allow_http or keeps_secret(base, through)):
            raise ConfigurationError(
                "base_url is plain http://, which would send the API key unencrypted to the "
                "proxy: use https://, or pass allow_http=True where the network is trusted"
            )
        return cls(
            base_url=base,
            project_id=project,
            api_key=key,
            authorization=f"{scheme} {key}" if scheme else key,
            secrets=(key, *(through.secrets if through is not None else ())),
            proxy=through,
        )


def check_limits(*, timeout: float, patience: float, max_in_flight: int, in_doubt: str) -> InDoubt:
    """Check the other options of a client, and return `in_doubt`.

    Raises:
        ConfigurationError: one is out of range.

    """
    if not is_positive(timeout):
        raise ConfigurationError("timeout must be a number of seconds above 0")
    if not is_positive(patience):
        raise ConfigurationError("patience must be a number of seconds above 0")
    if not is_count(max_in_flight):
        raise ConfigurationError("max_in_flight must be a whole number from 1")
    if in_doubt not in get_args(InDoubt):
        choices = ", ".join(map(repr, get_args(InDoubt)))
        raise ConfigurationError(f"in_doubt must be one of {choices}")
    return cast("InDoubt", in_doubt)


def is_positive(value: object) -> bool:
    """Return whether a value is a finite number above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # `math.isfinite` raises OverflowError for an integer above the largest float.
    return 0 < value <= sys.float_info.max


def is_count(value: object) -> bool:
    """Return whether a value is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _required(name: str, given: object) -> str:
    variable = f"RESTREAM_{name.upper()}"
    found = os.environ.get(variable) if given is None else given
    if found is None or found == "":
        raise ConfigurationError(
            f"{name} is missing: pass {name}=… to RestreamClient or set {variable}"
        )
    if not isinstance(found, str):
        raise ConfigurationError(f"{name} must be a string, not {type(found).__name__}")
    return found


def _api_key(given: object) -> str:
    key = _required("api_key", given)
    if scheme := _SCHEME.match(key):
        raise ConfigurationError(
            f'api_key begins with the scheme "{scheme[1]}": keep only the key in it, and set the '
            "scheme with auth_scheme=… or RESTREAM_AUTH_SCHEME"
        )
    _check("api_key", stray(key, "visible"))
    if not key.isascii():
        raise ConfigurationError(
            "api_key contains a character that is not ASCII, which cannot stand in a header: check "
            "what was copied with it (set it with api_key=… or RESTREAM_API_KEY)"
        )
    return key


def _project_id(given: object, key: str) -> str:
    project_id = _required("project_id", given)
    dots = f"must not be {project_id!r}" if project_id in {".", ".."} else ""
    _check("project_id", stray(project_id, "spaces") or dots)
    if project_id == key:
        # The project id is a part of the route, which errors show.
        raise ConfigurationError(
            "project_id is the same as api_key, which is a secret: pass the id of the project "
            "(set it with project_id=… or RESTREAM_PROJECT_ID)"
        )
    return project_id


def _check(name: str, problem: str) -> None:
    if problem:
        hint = f"set it with {name}=… or RESTREAM_{name.upper()}"
        raise ConfigurationError(f"{name} {problem} ({hint})")


def _scheme(given: object) -> str:
    found: object = os.environ.get("RESTREAM_AUTH_SCHEME", "") if given is None else given
    if found == "" and given is None:
        return ""
    if not isinstance(found, str) or not _TOKEN.fullmatch(found):
        problem = stray(found, "visible") if isinstance(found, str) else ""
        raise ConfigurationError(
            f'auth_scheme must be one word, such as "Bearer"{problem and f", and {problem}"} '
            "(set it with auth_scheme=… or RESTREAM_AUTH_SCHEME)"
        )
    return found


def _base_url(given: object, *, allow_http: bool) -> str:
    value = _required("base_url", given)
    problem = stray(value, "visible") or wrong_address(value, _EXAMPLE)
    _check("base_url", problem or _wrong_base_url(value, urlsplit(value), allow_http=allow_http))
    return value.rstrip("/")


def _wrong_base_url(value: str, parts: SplitResult, *, allow_http: bool) -> str:
    """Return what is wrong with a base URL whose address is valid, or nothing."""
    if parts.scheme not in {"http", "https"}:
        return f"must begin with https:// or http://, such as {_EXAMPLE}"
    if "@" in parts.netloc:
        return "must not contain a user name or password: the API key goes into api_key"
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        return "must end with its path, without a query or fragment"
    if route := _ROUTE.search(parts.path):
        rest = value[: len(value) - len(parts.path) + route.start()]
        return f'must end before "/api/v1", which is added to it: use {rest}'
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname or ""):
        return (
            "is plain http://, which would send the API key unencrypted: use https://, or pass "
            "allow_http=True where the network is trusted"
        )
    return ""
