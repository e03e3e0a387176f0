"""The settings of a client: from arguments, else from the environment; checked before use."""

import ipaddress
import os
import re
import sys
from typing import Final, Literal, NoReturn, TypeAlias, cast, get_args
from urllib.parse import SplitResult, urlsplit

import attrs

from restream_async.errors import ConfigurationError

InDoubt: TypeAlias = Literal["confirm", "resend", "raise"]

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
# A token of RFC 9110, section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class HoldsKey:
    """A base of what holds the API key, and is neither pickled nor copied with it inside."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always.

        """
        raise TypeError(
            f"a {type(self).__name__} can be neither pickled nor copied, as it holds the API key "
            "and connections: make one in each process"
        )


@attrs.frozen(kw_only=True)
class Settings:
    """What a client needs to know to reach the service.

    Attributes:
        base_url: scheme, host and perhaps a path, without a slash at the end.
        project_id: the project that owns the restreams.
        api_key: the secret of the project.
        authorization: the value of the `Authorization` header.
        secrets: what no text may repeat.

    """

    base_url: str
    project_id: str
    api_key: str = attrs.field(repr=False)
    authorization: str = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)

    @classmethod
    def resolve(
        cls,
        *,
        base_url: str | None,
        project_id: str | None,
        api_key: str | None,
        auth_scheme: str | None,
        allow_http: bool,
    ) -> "Settings":
        """Take each value from its argument, else from its environment variable.

        Raises:
            ConfigurationError: one is missing or malformed.

        """
        if type(allow_http) is not bool:
            raise ConfigurationError("allow_http must be True or False")
        key = _visible("api_key", _given("api_key", api_key))
        if auth_scheme is not None and not _is_token(auth_scheme):
            raise ConfigurationError('auth_scheme must be one word, such as "Bearer", or None')
        project = _project_id(_given("project_id", project_id))
        if project == key:
            # It stands in the route, which every error shows.
            raise ConfigurationError(
                "project_id is the same as api_key, which is a secret: pass the id of the project "
                "(set it with project_id=… or RESTREAM_PROJECT_ID)"
            )
        return cls(
            base_url=_base_url(_given("base_url", base_url), allow_http=allow_http),
            project_id=project,
            api_key=key,
            authorization=f"{auth_scheme} {key}" if auth_scheme else key,
            secrets=(key,),
        )


def check_limits(*, timeout: float, patience: float, max_in_flight: int, in_doubt: str) -> InDoubt:
    """Check the numbers and choices of a client.

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
    """Say whether a value is a finite number above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # Compared, not asked: `math.isfinite` cannot take an integer beyond every float.
    return 0 < value <= sys.float_info.max


def is_count(value: object) -> bool:
    """Say whether a value is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _given(name: str, value: object) -> str:
    variable = f"RESTREAM_{name.upper()}"
    found = os.environ.get(variable) if value is None else value
    if found is None or found == "":
        raise ConfigurationError(
            f"{name} is missing: pass {name}=… to RestreamClient or set {variable}"
        )
    if not isinstance(found, str):
        raise ConfigurationError(f"{name} must be a string, not {type(found).__name__}")
    return found


def _visible(name: str, value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        raise ConfigurationError(
            f"{name} contains a line break, a space or another character that cannot stand in a "
            f"header: check what was copied with it (set it with {name}=… or "
            f"RESTREAM_{name.upper()})"
        )
    return value


def _project_id(value: str) -> str:
    if not value.strip() or not value.isprintable() or value in {".", ".."}:
        raise ConfigurationError(
            "project_id must be printable and not blank (set it with project_id=… or "
            "RESTREAM_PROJECT_ID)"
        )
    return value


def _base_url(value: str, *, allow_http: bool) -> str:
    parts = _split(value)
    wrong = ""
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        wrong = "must be an http(s) URL with a scheme and a host, such as https://api.example.com"
    elif "@" in parts.netloc:
        wrong = "must not contain a user name or password: the API key goes into api_key"
    elif parts.query or parts.fragment or value.endswith(("?", "#")):
        wrong = "must end with its path, without a query or fragment"
    elif parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        wrong = (
            "is plain http://, which would send the API key unencrypted: use https://, or pass "
            "allow_http=True where the network is trusted"
        )
    if wrong:
        raise ConfigurationError(f"base_url {wrong} (set it with base_url=… or RESTREAM_BASE_URL)")
    return value.rstrip("/")


def _split(value: str) -> SplitResult | None:
    # urlsplit drops line breaks and tabs silently: what would be sent is not what was set.
    if not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
