"""Private: reads the destinations of a TOML or JSON file, and checks them."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from restream_async._operations.existence import Key, key_of
from restream_async._util.text_files import NoTextError, text_of_file
from restream_async.destinations.destination import Destination, same_as
from restream_async.destinations.placeholders import filled, names_in, wrong_braces
from restream_async.destinations.stream_keys import (
    KeyFromColumn,
    KeyFromFile,
    KeyFromVariable,
    StreamKeySource,
)
from restream_async.errors import ConfigurationError, InvalidRestreamError
from restream_async.models import NewRestream

_TABLES: Final = ("destinations", "rules")
_SOURCES: Final = ("stream_key_env", "stream_key_file", "stream_key_column")
_FIELDS: Final = ("title", "stream_url", *_SOURCES, "status")


def read_destinations(
    path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ
) -> tuple[Destination, ...]:
    """Read the destinations from a TOML file, or from a file that ends in `.json`.

    The keys of variables and files whose names hold no placeholder are read now.

    Args:
        path: of the file.
        environment: holds the variables that `stream_key_env` names.

    Raises:
        ConfigurationError: the file cannot be read, or a destination is wrong, has no stream key,
            or is there twice; the text says which.

    """
    path = Path(path)
    found: list[Destination] = []
    numbers: dict[Key, int] = {}
    for number, item in enumerate(read_tables(path, "destinations"), 1):
        where = f"destination {number} of {path}"
        destination = _destination(where, item, path.parent, environment)
        found.append(destination)
        if isinstance(destination.stream_key, str) and not destination.columns:
            first = numbers.setdefault(key_of(destination.restream("v")), number)
            if first != number:
                raise ConfigurationError(f"{where} {same_as(first)}")
    if not found:
        raise ConfigurationError(f"{path} lists no destinations: add a table [[destinations]]")
    _refuse_shown_keys(path, found)
    return tuple(found)


def read_tables(path: Path, name: str) -> list[dict[str, Any]]:
    """Return the tables of one name in a file with destinations; none if there are none.

    Raises:
        ConfigurationError: the file cannot be read, or has tables with other names.

    """
    loaded = _load(path)
    if isinstance(loaded, list):
        loaded = {"destinations": cast("list[object]", loaded)}
    tables = cast("dict[str, object]", loaded) if isinstance(loaded, dict) else {}
    if unknown := sorted(set(tables) - set(_TABLES)):
        raise ConfigurationError(
            f"{path} has unknown names: {', '.join(unknown)} (known: {', '.join(_TABLES)})"
        )
    listed = tables.get(name, [])
    items = cast("list[object]", listed) if isinstance(listed, list) else [listed]
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise ConfigurationError(
                f"{name[:-1]} {number} of {path} is not a table: write [[{name}]] above its fields"
            )
    return cast("list[dict[str, Any]]", items)


def _load(path: Path) -> object:
    try:
        text = text_of_file(path.read_bytes())
        return json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except NoTextError as error:
        problem = f"it {error}"
    except (ValueError, RecursionError) as error:
        # Only the line number: the line may hold a key that does not belong there.
        at = re.search(r"line \d+|end of document", str(error))
        problem = "it is not TOML or JSON" + (f" at {at[0]}" if at else "")
    raise ConfigurationError(f"the destinations cannot be read from {path}: {problem}")


def _destination(
    where: str, item: dict[str, Any], folder: Path, environment: Mapping[str, str]
) -> Destination:
    if "stream_key" in item:
        raise ConfigurationError(f"{where} holds a stream key: name one of {_options()} instead")
    if unknown := sorted(set(item) - set(_FIELDS)):
        raise ConfigurationError(
            f"{where} has unknown fields: {', '.join(unknown)} (known: {', '.join(_FIELDS)})"
        )
    for name, value in item.items():
        if isinstance(value, str) and (problem := wrong_braces(value)):
            raise ConfigurationError(f"{where}: {name} {problem}")
    source = _key_source(where, item, folder, environment)
    title, url = item.get("title", ""), item.get("stream_url", "")
    try:
        key = source if source.columns else source.key(str)
        # Check all values now instead of at the first video.
        NewRestream(
            video_id="v",
            title=_sample(title),
            # The value of a column may be the scheme or the whole URL.
            stream_url="rtmp://h" if str(url).startswith("{") else _sample(url),
            stream_key=key if isinstance(key, str) else "k",
            status=item.get("status", True),
        )
    except InvalidRestreamError as error:
        problem = str(error)
    else:
        return Destination(
            title=title, stream_url=url, stream_key=key, status=item.get("status", True)
        )
    raise ConfigurationError(f"{where}: {problem}")


def _sample(value: Any) -> Any:  # noqa: ANN401 - what the file holds
    # "1" may stand for a host and for a port.
    return filled(value, lambda _: "1") if isinstance(value, str) else value


def _key_source(
    where: str, item: dict[str, Any], folder: Path, environment: Mapping[str, str]
) -> StreamKeySource:
    named = [name for name in _SOURCES if name in item]
    name = item[named[0]] if len(named) == 1 else None
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where} must name exactly one of {_options()}, as a text")
    match named[0]:
        case "stream_key_env":
            if name.startswith("{"):
                raise ConfigurationError(
                    f"{where}: stream_key_env must begin with fixed text, as in KEY_{name}: the "
                    "value of a column must not name any variable"
                )
            return KeyFromVariable(name, environment)
        case "stream_key_file":
            return KeyFromFile(name, folder)
        case _:
            if "{" in name:
                raise ConfigurationError(
                    f"{where}: stream_key_column must be the name of a column, without braces"
                )
            return KeyFromColumn(name)


def _options() -> str:
    return f"{', '.join(_SOURCES[:-1])} or {_SOURCES[-1]}"


def _refuse_shown_keys(path: Path, destinations: list[Destination]) -> None:
    """Check that no column with stream keys is part of a text that is shown.

    Raises:
        ConfigurationError: one is.

    """
    sources = [destination.stream_key for destination in destinations]
    secret = {source.name for source in sources if isinstance(source, KeyFromColumn)}
    for number, destination in enumerate(destinations, 1):
        source = destination.stream_key
        shown = names_in(destination.title)
        if isinstance(source, KeyFromVariable | KeyFromFile):
            shown |= source.columns
        if both := sorted(shown & secret):
            raise ConfigurationError(
                f"destination {number} of {path} shows the column {both[0]}, which holds stream "
                "keys: leave it out of titles and of the names of variables and files"
            )
