"""Evidence as JSON-able data and back, driven by the type hints of `freezelint.evidence`: a new field there
needs nothing here.

Fields that have their default value are left out, so that the data stay small and older data still read.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from freezelint.evidence import Trace

Evidence = TypeVar("Evidence")
_Convert = Callable[[Any], Any]


def dumps(trace: Trace) -> str:
    """The trace as one line of JSON."""
    return json.dumps(to_data(trace), separators=(",", ":"))


def loads(text: str | bytes) -> Trace:
    """The trace that `dumps` wrote."""
    return from_data(Trace, json.loads(text))


def to_data(evidence: Any) -> dict[str, Any]:
    """Dictionaries, lists, strings, numbers, booleans and None that say what this piece of evidence says."""
    return cast("dict[str, Any]", _writer(cast("Any", type(evidence)))(evidence))


def from_data(kind: type[Evidence], data: dict[str, Any]) -> Evidence:
    """The piece of evidence that `to_data` turned into these data. Raises ValueError where they are no such
    thing."""
    try:
        return cast("Evidence", _reader(cast("Any", kind))(data))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"these data are no {kind.__name__}: {error}") from error


@cache
def _writer(hint: Any) -> _Convert:
    """How a value of this type becomes data."""
    if is_dataclass(hint):
        return _dataclass_writer(cast("type", hint))
    origin, inner = get_origin(hint), get_args(hint)
    if _is_union(origin):
        write_some = _writer(_only_some(hint))
        return lambda value: None if value is None else write_some(value)
    if origin is tuple:
        each = [_writer(kind) for kind in inner if kind is not Ellipsis]
        if inner[-1] is Ellipsis:
            return lambda value: [each[0](item) for item in value]
        return lambda value: [write(item) for write, item in zip(each, value, strict=True)]
    if origin is dict:
        write_value = _writer(inner[1])
        return lambda value: {str(key): write_value(item) for key, item in value.items()}
    return _same


@cache
def _reader(hint: Any) -> _Convert:
    """How data become a value of this type."""
    if is_dataclass(hint):
        return _dataclass_reader(cast("type", hint))
    origin, inner = get_origin(hint), get_args(hint)
    if _is_union(origin):
        read_some = _reader(_only_some(hint))
        return lambda data: None if data is None else read_some(data)
    if origin is tuple:
        each = [_reader(kind) for kind in inner if kind is not Ellipsis]
        if inner[-1] is Ellipsis:
            return lambda data: tuple(each[0](item) for item in data)
        return lambda data: tuple(read(item) for read, item in zip(each, data, strict=True))
    if origin is dict:
        read_key, read_value = inner[0], _reader(inner[1])
        return lambda data: {read_key(key): read_value(item) for key, item in data.items()}
    if origin is Literal:
        return lambda data: _one_of(inner, data)
    return _same


def _dataclass_writer(kind: type) -> _Convert:
    hints = _hints(kind)
    named = fields(kind)
    # Looked up at the first value, not here: a Location holds Locations.
    writers: dict[str, _Convert] = {}

    def write(value: Any) -> dict[str, Any]:
        if not writers:
            writers.update({each.name: _writer(hints[each.name]) for each in named})
        return {
            each.name: writers[each.name](content)
            for each in named
            if not _is_default(each, content := getattr(value, each.name))
        }

    return write


def _dataclass_reader(kind: type) -> _Convert:
    hints = _hints(kind)
    readers: dict[str, _Convert] = {}

    def read(data: dict[str, Any]) -> Any:
        if not readers:
            readers.update({each.name: _reader(hints[each.name]) for each in fields(kind)})
        return kind(**{name: readers[name](content) for name, content in data.items()})

    return read


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_default(named: Field[Any], value: Any) -> bool:
    """Whether the value is the field's default; of the same type too, since `1 == True`."""
    default = named.default
    return default is not MISSING and type(value) is type(default) and bool(value == default)


def _is_union(origin: Any) -> bool:
    return origin is Union or origin is types.UnionType


def _only_some(hint: Any) -> Any:
    """The X of `X | None`: the evidence has no other unions."""
    some = [kind for kind in get_args(hint) if kind is not type(None)]
    if len(some) != 1:
        raise TypeError(f"{hint}: evidence may use `X | None`, and no other union")
    return some[0]


def _one_of(allowed: tuple[Any, ...], data: Any) -> Any:
    if data not in allowed:
        raise ValueError(f"{data!r} is none of {', '.join(map(repr, allowed))}")
    return data


def _same(value: Any) -> Any:
    return value
