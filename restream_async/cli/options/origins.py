"""Private: each setting with its value and where it comes from, also if others are wrong."""

import inspect
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import typer

from restream_async import ConfigurationError, RestreamClient, RetryPolicy
from restream_async._util.redaction import MASK
from restream_async.cli.errors import CliError, describe
from restream_async.cli.options.connection import (
    API_KEY_VARIABLE,
    ConnectionOptions,
    api_key_of,
    resolve,
    tls_for,
)
from restream_async.cli.options.nats import NatsCliOptions
from restream_async.cli.output.settings_table import Setting
from restream_async.settings import Settings
from restream_async.worker.subjects import FILE_VARIABLES, URL_VARIABLE, nats_variables

_DEFAULT: Final = "default"
_MISSING: Final = "missing"
_HIDDEN: Final = "not shown"
"""In place of a wrong value, which may be a secret in the wrong place."""
# A setting is checked among others that are right.
_RIGHT: Final[dict[str, Any]] = {
    "base_url": "https://api.example.com",
    "project_id": "an-id",
    "api_key": "a-key",
    "auth_scheme": "Bearer",
    "allow_http": False,
    "proxy": None,
    "trust_env": False,
}
_NATS_FILES: Final = {
    "credentials": ("NATS credentials", "nats_creds"),
    "nkey": ("NATS NKey", "nats_nkey"),
    "ca": ("NATS CA file", "nats_ca"),
    "certificate": ("NATS certificate", "nats_cert"),
    "key": ("NATS key", "nats_key"),
}


@attrs.frozen
class Origins:
    """Tells which values the command line and the environment gave."""

    context: typer.Context

    def of(self, name: str, variable: str = "") -> str:
        """Return the option or the variable that a parameter comes from, or `default`."""
        source = self.context.get_parameter_source(name)
        kind = "" if source is None else source.name
        option = f"--{name.replace('_', '-')}"
        return {"COMMANDLINE": option, "ENVIRONMENT": variable}.get(kind, _DEFAULT)


def connection_settings(options: ConnectionOptions, origins: Origins) -> Iterator[Setting]:
    """Yield the settings of the connection."""
    key, key_source, key_problem = _api_key(options)
    base_problem = _problem(base_url=options.base_url, allow_http=options.allow_http)
    yield _required("base URL", options.base_url, origins, "base_url", base_problem)
    yield _required(
        "project",
        options.project_id,
        origins,
        "project_id",
        _problem(project_id=options.project_id, **({} if key_problem else {"api_key": key})),
    )
    scheme = options.auth_scheme or ""
    scheme_problem = "" if options.auth_scheme is None else _problem(auth_scheme=scheme)
    if scheme_problem or (scheme and scheme == key):
        # It may be the key.
        scheme = MASK
    yield Setting(
        name="API key",
        value=f"{scheme} {MASK}".lstrip() if key else "",
        source=key_source,
        problem=key_problem,
    )
    yield Setting(
        name="auth scheme",
        value=scheme or "none, the key alone",
        source=origins.of("auth_scheme", "RESTREAM_AUTH_SCHEME"),
        problem=scheme_problem,
    )
    yield _proxy(options, "" if base_problem else options.base_url)
    yield _ca_file(options)
    yield Setting(
        name="plain http",
        value="allowed" if options.allow_http else "to this machine only",
        source=origins.of("allow_http"),
    )


def limits() -> Iterator[Setting]:
    """Yield the time-outs and limits of a run, with the options that change them."""
    defaults = inspect.signature(RestreamClient).parameters
    policy = RetryPolicy()
    values = {
        "--timeout": f"{defaults['timeout'].default:g} s for an attempt",
        "--attempts": f"{policy.attempts} for a restream",
        "--deadline": f"{policy.deadline:g} s for a restream",
        "--patience": f"{defaults['patience'].default:g} s in an outage",
        "--max-in-flight": f"{defaults['max_in_flight'].default} requests",
    }
    for option, value in values.items():
        yield Setting(name=option, value=value, source=f"{_DEFAULT} of bulk")


def nats_settings(options: NatsCliOptions, origins: Origins) -> Iterator[Setting]:
    """Yield the settings of the NATS server, which workers need, and nothing else."""
    found = nats_variables()
    if not options.is_given:
        yield Setting(name="NATS server", value="none, only workers need it", source=_DEFAULT)
        return
    shown, problem = "", ""
    try:
        shown = options.options().shown
    except CliError as error:
        problem = str(error)
    has_url = options.nats_url is not None or "url" in found
    source = origins.of("nats_url") if options.nats_url is not None else URL_VARIABLE
    yield Setting(
        name="NATS server",
        value=shown or (_HIDDEN if has_url else ""),
        source=source if has_url else _MISSING,
        problem=problem,
    )
    for name, (title, option) in _NATS_FILES.items():
        given: Path | None = getattr(options, option)
        if given is not None:
            yield Setting(name=title, value=str(given), source=origins.of(option))
        elif name in found:
            yield Setting(name=title, value=found[name], source=FILE_VARIABLES[name])
    names = {
        "stream": ("NATS stream", options.stream),
        "subject": ("NATS subject", options.subject),
        "durable": ("NATS consumer", options.durable),
        "events": ("NATS events", options.events),
        "outcomes": ("NATS outcomes", options.outcomes),
        "dead": ("NATS dead letters", options.dead),
    }
    for option, (title, value) in names.items():
        yield Setting(name=title, value=value, source=origins.of(option))


def _required(name: str, value: str | None, origins: Origins, field: str, problem: str) -> Setting:
    variable, option = f"RESTREAM_{field.upper()}", f"--{field.replace('_', '-')}"
    if not value:
        missing = f"the {name} is missing: set {variable}, or pass {option}"
        return Setting(name=name, value="", source=_MISSING, problem=missing)
    source = origins.of(field, variable)
    return Setting(name=name, value=_HIDDEN if problem else value, source=source, problem=problem)


def _api_key(options: ConnectionOptions) -> tuple[str, str, str]:
    """Return the key, where it comes from, and what is wrong with it."""
    source = API_KEY_VARIABLE if options.api_key_file is None else "--api-key-file"
    try:
        key = api_key_of(options)
    except CliError as error:
        return "", source, str(error)
    key = os.environ.get(API_KEY_VARIABLE, "") if key is None else key
    if not key:
        missing = f"the API key is missing: set {API_KEY_VARIABLE}, or pass --api-key-file"
        return "", _MISSING, missing
    return key, source, _problem(api_key=key)


def _proxy(options: ConnectionOptions, base_url: str | None) -> Setting:
    """Return the proxy for a base URL; for an empty one, the proxy of an https:// service."""
    found, problem = _resolve(
        base_url=base_url or _RIGHT["base_url"],
        allow_http=options.allow_http,
        proxy=options.proxy,
        trust_env=True,
    )
    proxy = None if found is None else found.proxy
    if problem:
        source = "--proxy" if options.proxy else "the environment"
        return Setting(name="proxy", value=_HIDDEN, source=source, problem=problem)
    if proxy is None:
        return Setting(name="proxy", value="none", source=_DEFAULT)
    login = " with a login" if proxy.authorization else ""
    return Setting(name="proxy", value=f"{proxy.url}{login}", source=proxy.variable or "--proxy")


def _ca_file(options: ConnectionOptions) -> Setting:
    problem = ""
    variable = ssl.get_default_verify_paths().openssl_cafile_env
    source = "--ca-file"
    if options.ca_file is None and (path := os.environ.get(variable)):
        options, source = attrs.evolve(options, ca_file=Path(path)), variable
    if options.ca_file is None:
        return Setting(name="CA file", value="those of the system", source=_DEFAULT)
    try:
        tls_for(options)
    except CliError as error:
        problem = str(error)
    return Setting(name="CA file", value=str(options.ca_file), source=source, problem=problem)


def _problem(**setting: Any) -> str:  # noqa: ANN401 - one or two of the settings
    return _resolve(**setting)[1]


def _resolve(**setting: Any) -> tuple[Settings | None, str]:  # noqa: ANN401 - as above
    """Return the settings, or what is wrong with one among others that are right."""
    try:
        return resolve(**{**_RIGHT, **setting}), ""
    except ConfigurationError as error:
        return None, describe(error)
