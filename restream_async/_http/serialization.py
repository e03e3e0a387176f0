"""Model ↔ JSON, with cattrs: camelCase on the wire, and strict about types.

cattrs turns `None` into `"None"` and `1` into `True` where it is let; here a value of the wrong
type is an error that names its path. The fast converter reads every answer; the explaining one
runs only after a failure, to say where it is.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TypeVar, cast, get_type_hints

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from restream_async._util.stray_characters import is_invisible, named
from restream_async.errors import InvalidRestreamError
from restream_async.models import CHECKS, NewRestream, Restream, Toggled, make_restream

_T = TypeVar("_T")

_JSON_NAMES: Final[Mapping[type, str]] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}


class UnreadableError(ValueError):
    """Bytes or values that are not what the service documents; the text says where and why.

    The text names paths and types, never a value.
    """


class _WrongTypeError(TypeError):
    pass


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), type(value).__name__)


def _strict(kind: type, other: type | None = None) -> Callable[[object, object], Any]:
    def check(value: object, _: object) -> object:
        # Not isinstance: in Python, True is an int.
        if type(value) is kind or type(value) is other:
            return value
        expected = " or ".join(_JSON_NAMES[each] for each in (kind, other) if each is not None)
        raise _WrongTypeError(f"expected {expected}, got {_json_name(value)}")

    return check


def _of_object(read: Callable[[Any, Any], Any]) -> Callable[[object, object], Any]:
    expect_object = _strict(dict)

    def check(value: object, kind: object) -> object:
        # Else something else would be reported once for each field.
        return read(expect_object(value, kind), kind)

    return check


def json_name(name: str) -> str:
    """Return `streamKey` for `stream_key`."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _restream(value: Any, _: object) -> Restream:  # noqa: ANN401 - what JSON brings
    """Read one in a single step, or raise anything.

    It is read for every creation, and what cattrs makes asks a function for each field. Where it
    does not read one, the explaining converter says why.
    """
    kept, status = value["id"], value["status"]
    title, video = value["title"], value["videoId"]
    # What a service must not show, it may leave out.
    key, url = value.get("streamKey"), value.get("streamUrl")
    key, url = "" if key is None else key, "" if url is None else url
    if (
        type(title) is type(key) is type(url) is type(video) is str
        and type(status) is bool
        and (type(kept) is int or (type(kept) is str and kept))
    ):
        return make_restream(kept, title, key, url, status, video)
    raise TypeError


def _converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _strict(str))
    converter.register_structure_hook(bool, _strict(bool))
    converter.register_structure_hook(int | str, _strict(int, str))
    for kind in (NewRestream, Restream, Toggled):
        names: dict[str, Any] = {
            field.name: override(rename=json_name(field.name)) for field in attrs.fields(kind)
        }
        read = make_dict_structure_fn(
            kind, converter, _cattrs_detailed_validation=detailed, **names
        )
        converter.register_structure_hook(kind, _of_object(read) if detailed else read)
        converter.register_unstructure_hook(
            kind, make_dict_unstructure_fn(kind, converter, **names)
        )
    return converter


_FAST: Final = _converter(detailed=False)
_EXPLAINING: Final = _converter(detailed=True)
_FAST.register_structure_hook(Restream, _restream)
# Looked up once, not for every value.
_AS_RESTREAM: Final = _FAST.get_structure_hook(Restream)
_AS_RESTREAMS: Final = _FAST.get_structure_hook(list[Restream])
_AS_TOGGLED: Final = _FAST.get_structure_hook(Toggled)
_AS_BOOL: Final = _FAST.get_structure_hook(bool)
_NEW_FIELDS: Final[dict[str, type]] = get_type_hints(NewRestream)
_PAGING: Final = ("currentPage", "totalPages", "pageSize", "totalCount")
_DECODER: Final = json.JSONDecoder()


def to_json(new: NewRestream) -> bytes:
    """Return the JSON object that the service takes, in UTF-8."""
    # Five checked scalars: what takes objects of any kind, and json.dumps, take five times as long.
    return (
        f'{{"videoId":{encode_basestring_ascii(new.video_id)}'
        f',"title":{encode_basestring_ascii(new.title)}'
        f',"streamUrl":{encode_basestring_ascii(new.stream_url)}'
        f',"streamKey":{encode_basestring_ascii(new.stream_key)}'
        f',"status":{"true" if new.status else "false"}}}'
    ).encode()


def to_dict(value: NewRestream | Restream) -> dict[str, Any]:
    """Return a model as the wire names it, secrets included."""
    fields: dict[str, Any] = _FAST.unstructure(value)
    return fields


def parse(data: bytes | str) -> object:
    """Return the JSON value in `data`.

    Raises:
        UnreadableError: it is no JSON, or nested or long beyond reason.

    """
    try:
        # UTF-8, says RFC 8259, section 8.1, which also allows to ignore a byte order mark.
        text = data if isinstance(data, str) else data.decode()
        if text.startswith("{"):
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return _DECODER.decode(text.removeprefix("\ufeff"))
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = f"it is not JSON{_place(error)}" if data else "it is empty"
    raise UnreadableError(problem)


def _place(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return ""
    found = error.doc[error.pos : error.pos + 1]
    # The text may be a key, so only an invisible character of it is named.
    what = f", where {named(found)} stands" if found and is_invisible(found) else ""
    return f" at position {error.pos}{what}"


def as_object(value: object) -> dict[str, object] | None:
    """Return a decoded JSON value if it is an object."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[object] | None:
    """Return a decoded JSON value if it is an array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def read_new_restream(value: object) -> NewRestream:
    """Read a `NewRestream` from a decoded JSON object with the wire's names.

    Raises:
        InvalidRestreamError: a field is missing, of the wrong type or malformed.

    """
    try:
        return _FAST.structure(value, NewRestream)
    except Exception:  # noqa: BLE001 - cattrs hands on whatever the reading raised
        first, *others = _problems(value)
    raise InvalidRestreamError(*first, *others)


def problems_in_json_names(error: InvalidRestreamError) -> str:
    """Return what is wrong with a `NewRestream` as a sentence with the wire's names."""
    return "; ".join(f"{json_name(field)} {reason}" for field, reason in error.problems)


def _problems(value: object) -> Iterator[tuple[str, str]]:
    """Return all fields of a `NewRestream` that are wrong, each with its reason."""
    fields = as_object(value)
    if fields is None:
        yield "the value", f"must be an object, not {_json_name(value)}"
        return
    for field, kind in _NEW_FIELDS.items():
        name = json_name(field)
        if name not in fields:
            yield field, "is missing"
        elif type(fields[name]) is not kind:
            yield field, f"must be {_JSON_NAMES[kind]}, not {_json_name(fields[name])}"
        elif reason := CHECKS[field](fields[name]):
            yield field, reason


def read_restream(value: object) -> Restream:
    """Read the `result` of a creation.

    Raises:
        UnreadableError: it is not a restream; names the path.

    """
    return _read(value, Restream, _AS_RESTREAM)


def read_restreams(value: object) -> list[Restream]:
    """Read the `result` of a list call: an array, a single object, or null.

    Raises:
        UnreadableError: it is none of them; names the path.

    """
    if value is None:
        return []
    if as_object(value) is not None:
        return [read_restream(value)]
    if as_array(value) is None:
        raise UnreadableError("result: expected an array, an object or null")
    return _read(value, list[Restream], _AS_RESTREAMS)


@attrs.frozen(kw_only=True)
class ListPage:
    """A list of restreams, or one page of it.

    Attributes:
        restreams: those of this page.
        number: which page it is.
        pages: how many there are; 1 for a list that is whole.
        size: how many restreams a page has, if that is said.
        count: how many there are on all pages, if that is said.

    """

    restreams: list[Restream]
    number: int = 1
    pages: int = 1
    size: int | None = None
    count: int | None = None


def read_page(value: object) -> ListPage:
    """Read the `result` of a list call, which may be one page of the list.

    Pages have the form of the sibling call for live videos: `items`, `currentPage`, `totalPages`,
    `pageSize`, `totalCount`.

    Raises:
        UnreadableError: it is no list, or a page that does not say how many there are.

    """
    fields = as_object(value)
    if fields is None or "items" not in fields:
        return ListPage(restreams=read_restreams(value))
    items = as_array(fields["items"])
    if items is None:
        raise UnreadableError("result.items: expected an array")
    numbers = {name: _whole(fields.get(name)) for name in _PAGING}
    number, pages = numbers["currentPage"], numbers["totalPages"]
    if number is None or pages is None:
        raise UnreadableError("result: a page must have currentPage and totalPages")
    return ListPage(
        restreams=read_restreams(items),
        number=number,
        pages=pages,
        size=numbers["pageSize"],
        count=numbers["totalCount"],
    )


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def read_toggled(value: object) -> Toggled:
    """Read the `result` of a toggle.

    Raises:
        UnreadableError: it is not an id with a status; names the path.

    """
    return _read(value, Toggled, _AS_TOGGLED)


def read_deleted(value: object) -> bool:
    """Read the `result` of a deletion.

    Raises:
        UnreadableError: it is neither true nor false.

    """
    return _read(value, bool, _AS_BOOL)


def _read(value: object, kind: type[_T], structure: Callable[[Any, Any], _T]) -> _T:
    try:
        return structure(value, kind)
    except Exception:  # noqa: BLE001 - cattrs hands on whatever the reading raised
        problems = _explain(value, kind, "result")
    raise UnreadableError("; ".join(json_name(problem) for problem in problems[:5]))


def _explain(value: object, kind: Any, path: str) -> list[str]:  # noqa: ANN401 - any type form
    try:
        _EXPLAINING.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - as above
        if isinstance(error, cattrs.BaseValidationError):
            return [_sentence(text) for text in cattrs.transform_error(error, path, _reason)]
        return [f"{path or 'the object'}: {_reason(error, None)}"]
    raise AssertionError("the fast converter refused what the explaining one takes")


def _sentence(text: str) -> str:
    reason, _, path = text.rpartition(" @ ")
    return f"{path.removeprefix('.')}: {reason}"


def _reason(error: BaseException, _: type | None) -> str:
    # Nothing else comes: a model checks itself only after all its fields have the right types.
    return "is missing" if isinstance(error, KeyError) else str(error)
