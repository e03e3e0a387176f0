"""The public API as text, one line a name: `python -m tests.helpers.public_api` writes it anew."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import griffe
from typer.core import TyperGroup
from typer.main import get_command

import restream_async
from restream_async.cli.app import app

RECORD: Final = Path(__file__).parents[1] / "public_api.txt"
_PACKAGE: Final = "restream_async"
_MODULES: Final = (
    _PACKAGE,
    f"{_PACKAGE}.destinations",
    f"{_PACKAGE}.errors",
    f"{_PACKAGE}.handling",
    f"{_PACKAGE}.handling.reports",
    f"{_PACKAGE}.sandbox",
    f"{_PACKAGE}.telemetry",
    f"{_PACKAGE}.testing",
    f"{_PACKAGE}.worker.event_rules",
    f"{_PACKAGE}.worker.webhooks",
)
"""The modules that others may import from. The first one that has a name shows it."""
_NAMES: Final = (
    f"{_PACKAGE}._bulk.report.BulkCounts",
    f"{_PACKAGE}._bulk.report.Duplicate",
    f"{_PACKAGE}._bulk.run.BulkRun",
    f"{_PACKAGE}._bulk.undo.Undo",
    f"{_PACKAGE}._wanted_state.change_counts.ChangeCounts",
    f"{_PACKAGE}._wanted_state.run.WantedStateRun",
    f"{_PACKAGE}.models.Toggled",
    f"{_PACKAGE}.stats.Stats",
    f"{_PACKAGE}.worker.run.run_worker",
    f"{_PACKAGE}.worker.settings.WorkerSettings",
)
"""Single names of other modules. Of those in private ones, others get objects from a client."""
_LONGEST_VALUE: Final = 60


def public_api() -> str:
    """Return everything that others build on: names, signatures, fields, values, options."""
    root = Path(restream_async.__file__).parents[1]
    package = griffe.load(_PACKAGE, search_paths=[root], resolve_aliases=True)
    members = {member.canonical_path: (name, member) for name, member in _public(package)}
    lines = [line for name, member in members.values() for line in _lines(name, member, members)]
    return "\n".join([*sorted(lines), *_command_line()]) + "\n"


def _public(package: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - griffe's tree
    """Give all public names; the name that is given last is the one to show."""
    yield from ((name, _find(package, name)) for name in _NAMES)
    for name in reversed(_MODULES):
        module = _find(package, name)
        defined = [key for key, member in module.members.items() if not member.is_alias]
        for key in module.exports or defined:
            if not str(key).startswith("_"):
                yield f"{name}.{key}", module[str(key)]


def _find(package: Any, name: str) -> Any:  # noqa: ANN401 - griffe's tree
    inside = name.removeprefix(_PACKAGE).removeprefix(".")
    return package[inside] if inside else package


def _lines(name: str, member: Any, public: Iterable[str]) -> Iterator[str]:  # noqa: ANN401 - griffe's tree
    if member.is_class:
        yield f"{name}: class({', '.join(str(base) for base in member.bases)})"
        # What comes from a public class is shown there.
        inherited = {
            key: each
            for key, each in member.inherited_members.items()
            if each.final_target.parent.canonical_path not in public
        }
        for key, each in {**inherited, **member.members}.items():
            is_constructor = key == "__init__" and "._" not in name
            if not key.startswith("_") or is_constructor:
                yield from _lines(f"{name}.{key}", each, public)
    elif member.is_function:
        asynchronous = "async " if "async" in member.labels else ""
        # An alias shows no return type.
        signed = member.final_target if member.is_alias else member
        yield f"{name}: {asynchronous}{signed.signature()}"
    elif member.is_attribute:
        yield f"{name}: {member.annotation or 'value'}{_default(member)}"


def _default(attribute: Any) -> str:  # noqa: ANN401 - griffe's tree
    """Return the default of a field, or the value of a constant."""
    value = str(attribute.value or "")
    if not value or "property" in attribute.labels:
        return ""
    is_field = value.startswith("attrs.field(")
    if is_field and "default=" not in value and "factory=" not in value:
        return ""
    return " = ..." if is_field or len(value) > _LONGEST_VALUE else f" = {value}"


def _command_line() -> Iterator[str]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    yield "restream-async --version"
    yield from _commands("restream-async", group)


def _commands(path: str, group: TyperGroup) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        called = f"{path} {name}"
        yield called
        for parameter in command.params:
            yield f"{called} {', '.join([*parameter.opts, *parameter.secondary_opts])}"
        if isinstance(command, TyperGroup):
            yield from _commands(called, command)


if __name__ == "__main__":
    RECORD.write_text(public_api(), "utf-8")
