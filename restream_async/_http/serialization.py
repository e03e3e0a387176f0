"""Private: models to JSON and back, with the service's camelCase names, and strict about types.

A value of the wrong type is an error that names its path. Left alone, cattrs would turn `None` into
`"None"` and `1` into `True`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TypeVar, get_type_hints

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from restream_async._field_checks import CHECKS
from restream_async._http.json_values import (
    JSON_TYPES,
    UnreadableError,
    as_object,
    type_name,
)
from restream_async.errors import InvalidRestreamError
from restream_async.models import NewRestream, Restream, Toggled, make_restream

_T = TypeVar("_T")

_MOST_PROBLEMS: Final = 5


def json_name(name: str) -> str:
    """Return `streamKey` for `stream_key`."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def to_json(new: NewRestream) -> bytes:
    """Return the JSON object that the service takes, in UTF-8."""
    # By hand, as the fields are checked: `json.dumps` would cost 5 % of a creation.
    return (
        f'{{"videoId":{encode_basestring_ascii(new.video_id)}'
        f',"title":{encode_basestring_ascii(new.title)}'
        f',"streamUrl":{encode_basestring_ascii(new.stream_url)}'
        f',"streamKey":{encode_basestring_ascii(new.stream_key)}'
        f',"status":{"true" if new.status else "false"}}}'
    ).encode()


def read_new_restream(value: object) -> NewRestream:
    """Read a `NewRestream` from a decoded JSON object.

    Raises:
        InvalidRestreamError: a field is missing, of the wrong type or malformed.

    """
    fields = as_object(value)
    if fields is not None and all(
        type(fields.get(name)) is kind for name, kind in _NEW_TYPES.values()
    ):
        known: dict[str, Any] = {field: fields[name] for field, (name, _) in _NEW_TYPES.items()}
        return NewRestream(**known)
    first, *others = _problems_of_new(value)
    raise InvalidRestreamError(*first, *others)


def problems_in_json_names(error: InvalidRestreamError) -> str:
    """Return what is wrong with a `NewRestream` as a sentence with JSON field names."""
    return "; ".join(f"{json_name(field)} {reason}" for field, reason in error.problems)


def read_restream(value: object) -> Restream:
    """Read the `result` of a creation.

    Raises:
        UnreadableError: it is not a restream; names the path.

    """
    return _valid_restream(value) or _read(value, Restream)


def read_restream_array(array: list[object]) -> list[Restream]:
    """Read the restreams of a list call.

    Raises:
        UnreadableError: one is not a restream; names the path.

    """
    valid = [restream for each in array if (restream := _valid_restream(each)) is not None]
    return valid if len(valid) == len(array) else _read(array, list[Restream])


def read_toggled(value: object) -> Toggled:
    """Read the `result` of a toggle.

    Raises:
        UnreadableError: it is not an id with a status; names the path.

    """
    return _read(value, Toggled)


def read_deleted(value: object) -> bool:
    """Read the `result` of a deletion.

    Raises:
        UnreadableError: it is neither true nor false.

    """
    return _read(value, bool)


def _valid_restream(value: object) -> Restream | None:
    """Return a decoded JSON value as a restream, or None if it is none.

    By hand, as each creation reads one: cattrs, which calls a function for each field, would cost
    2 % of a creation more. It reads what this does not, to say what is wrong.
    """
    fields = as_object(value)
    if fields is None:
        return None
    kept, status = fields.get("id"), fields.get("status")
    title, video = fields.get("title"), fields.get("videoId")
    # A service that must not show secrets may leave them out.
    key, url = fields.get("streamKey"), fields.get("streamUrl")
    key, url = "" if key is None else key, "" if url is None else url
    if (
        type(title) is type(key) is type(url) is type(video) is str
        and type(status) is bool
        and (type(kept) is int or (type(kept) is str and kept))
    ):
        return make_restream(kept, title, key, url, status, video)
    return None


def _read(value: object, kind: type[_T]) -> _T:
    try:
        return _CONVERTER.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - cattrs raises what the reading raised
        problems = _explain(error)
    raise UnreadableError("; ".join(json_name(problem) for problem in problems[:_MOST_PROBLEMS]))


def _explain(error: Exception) -> list[str]:
    if isinstance(error, cattrs.BaseValidationError):
        return [_path_first(text) for text in cattrs.transform_error(error, "result", _reason)]
    return [f"result: {_reason(error, None)}"]


def _path_first(text: str) -> str:
    reason, _, path = text.rpartition(" @ ")
    return f"{path}: {reason}"


def _reason(error: BaseException, _: type | None) -> str:
    # No other errors come: a model checks itself only after all its fields have the right types.
    return "is missing" if isinstance(error, KeyError) else str(error)


def _problems_of_new(value: object) -> Iterator[tuple[str, str]]:
    """Return all fields of a `NewRestream` that are wrong, each with its reason."""
    fields = as_object(value)
    if fields is None:
        yield "the value", f"must be an object, not {type_name(value)}"
        return
    for field, (name, kind) in _NEW_TYPES.items():
        if name not in fields:
            yield field, "is missing"
        elif type(fields[name]) is not kind:
            yield field, f"must be {JSON_TYPES[kind]}, not {type_name(fields[name])}"
        elif reason := CHECKS[field](fields[name]):
            yield field, reason


def _strict(*kinds: type) -> Callable[[object, object], Any]:
    def check(value: object, _: object) -> object:
        # Not isinstance: in Python, True is an int.
        if type(value) in kinds:
            return value
        expected = " or ".join(JSON_TYPES[kind] for kind in kinds)
        raise TypeError(f"expected {expected}, got {type_name(value)}")

    return check


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook(str, _strict(str))
    converter.register_structure_hook(bool, _strict(bool))
    converter.register_structure_hook(int | str, _strict(int, str))
    expect_object = _strict(dict)
    for model in (Restream, Toggled):
        names: dict[str, Any] = {
            field.name: override(rename=json_name(field.name)) for field in attrs.fields(model)
        }
        read = make_dict_structure_fn(model, converter, **names)

        # Without `expect_object`, another value would be reported once for each field.
        def check(value: object, kind: Any, read: Callable[..., Any] = read) -> object:  # noqa: ANN401 - a type
            return read(expect_object(value, kind), kind)

        converter.register_structure_hook(model, check)
    return converter


_CONVERTER: Final = _make_converter()
# The JSON name and the type of each field.
_NEW_TYPES: Final[Mapping[str, tuple[str, type]]] = {
    field: (json_name(field), kind) for field, kind in get_type_hints(NewRestream).items()
}
