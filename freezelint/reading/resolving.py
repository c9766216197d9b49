"""Reads from conditions the strings that names are compared with, as the program had them at that moment.

Nothing of the user's is called: only constants, plain variables, attributes that need no property, items of
lists, tuples and dictionaries, f-strings, concatenation and `range` are followed; anything else is unknown.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

_MOST_VALUES = 256
_UNCHANGED_BY = {"lower", "strip", "casefold"}
_PREFIX_METHODS = {"startswith", "find", "count"}


class Names(Protocol):
    """The variables of the moment."""

    def __getitem__(self, name: str) -> Any:
        """The value of a variable. Raises KeyError where it has none, or none that is known."""


class _UnresolvedError(Exception):
    """The value of an expression cannot be known without running the user's code."""


# For a variable of a comprehension the values that it takes.
_Bound = Mapping[str, tuple[Any, ...]]


def strings_compared(
    conditions: Iterable[ast.expr], variables: frozenset[str], names: Names
) -> tuple[str, ...]:
    """The strings that the conditions look for in the loop variables, each once, in order."""
    found: dict[str, None] = {}
    for condition in conditions:
        for text in _compared(condition, variables, names, {}):
            found[text] = None
    return tuple(found)


def _compared(node: ast.AST, variables: frozenset[str], names: Names, bound: _Bound) -> Iterator[str]:
    if isinstance(node, (ast.GeneratorExp, ast.ListComp, ast.SetComp)):
        for generator in node.generators:
            if isinstance(generator.target, ast.Name):
                bound = {**bound, generator.target.id: _elements(generator.iter, names, bound)}
        parts: list[ast.AST] = [node.elt, *(test for generator in node.generators for test in generator.ifs)]
        for part in parts:
            yield from _compared(part, variables, names, bound)
        return
    if isinstance(node, ast.Compare):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)) and same_name(right, variables):
                yield from _strings(left, names, bound)
            left = right
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _PREFIX_METHODS
        and same_name(node.func.value, variables)
        and node.args
    ):
        yield from _strings(node.args[0], names, bound)
    for child in ast.iter_child_nodes(node):
        yield from _compared(child, variables, names, bound)


def same_name(node: ast.expr, variables: frozenset[str]) -> bool:
    """Whether it is one of the variables itself: `name.split(".")` is compared with whole words."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _UNCHANGED_BY
    ):
        node = node.func.value
    return isinstance(node, ast.Name) and node.id in variables


def _strings(node: ast.expr, names: Names, bound: _Bound) -> Iterator[str]:
    for value in _values(node, names, bound):
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (item for item in value if isinstance(item, str))


def _elements(node: ast.expr, names: Names, bound: _Bound) -> tuple[Any, ...]:
    """What an iteration over the expression gives."""
    found: list[Any] = []
    for value in _values(node, names, bound):
        if isinstance(value, (str, list, tuple, set, frozenset, range, dict)):
            found.extend(islice(value, _MOST_VALUES))
    return tuple(found[:_MOST_VALUES])


def _values(node: ast.expr, names: Names, bound: _Bound) -> tuple[Any, ...]:
    """The values that an expression takes while the variables of its comprehensions run; none if unknown."""
    used = [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in bound]
    settings: list[dict[str, Any]] = [{}]
    for name in dict.fromkeys(used):
        settings = [{**setting, name: value} for setting in settings for value in bound[name]][:_MOST_VALUES]
    found = []
    for setting in settings:
        try:
            found.append(_value(node, names, setting))
        except (_UnresolvedError, KeyError, IndexError, TypeError, ValueError):
            continue
    return tuple(found)


def _value(node: ast.expr, names: Names, setting: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return setting[node.id] if node.id in setting else names[node.id]
    if isinstance(node, ast.Attribute):
        return _attribute(_value(node.value, names, setting), node.attr)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [_value(item, names, setting) for item in node.elts]
    if isinstance(node, ast.Subscript):
        return _item(_value(node.value, names, setting), _value(node.slice, names, setting))
    if isinstance(node, ast.JoinedStr):
        return "".join(_formatted(part, names, setting) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _computed(node, names, setting)
    if isinstance(node, ast.Call):
        return _called(node, names, setting)
    raise _UnresolvedError


def _attribute(owner: Any, name: str) -> Any:
    """An attribute that can be read without running a property or `__getattr__`."""
    value = inspect.getattr_static(owner, name, None)
    if isinstance(value, (str, int, list, tuple, dict, set, frozenset)):
        return value
    raise _UnresolvedError


def _item(owner: Any, key: Any) -> Any:
    if type(owner) in (list, tuple, dict):
        return owner[key]
    raise _UnresolvedError


def _formatted(part: ast.expr, names: Names, setting: Mapping[str, Any]) -> str:
    if isinstance(part, ast.FormattedValue):
        if part.format_spec is not None:
            raise _UnresolvedError
        part = part.value
    return _plain(_value(part, names, setting))


def _plain(value: Any) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    raise _UnresolvedError


def _computed(node: ast.BinOp, names: Names, setting: Mapping[str, Any]) -> Any:
    left, right = _value(node.left, names, setting), _value(node.right, names, setting)
    same = type(left) is type(right) and type(left) in (str, int, list, tuple)
    if isinstance(node.op, ast.Add) and same:
        return left + right
    if isinstance(node.op, ast.Sub) and type(left) is type(right) is int:
        return left - right
    raise _UnresolvedError


def _called(node: ast.Call, names: Names, setting: Mapping[str, Any]) -> Any:
    if node.keywords or not isinstance(node.func, (ast.Name, ast.Attribute)):
        raise _UnresolvedError
    arguments = [_value(argument, names, setting) for argument in node.args]
    if isinstance(node.func, ast.Name):
        if node.func.id == "range" and all(type(argument) is int for argument in arguments):
            return range(*arguments)
        if node.func.id == "str" and len(arguments) == 1:
            return _plain(arguments[0])
        if node.func.id in ("tuple", "list", "sorted", "set") and len(arguments) == 1:
            return (
                list(islice(arguments[0], _MOST_VALUES))
                if type(arguments[0]) in (list, tuple, range)
                else None
            )
    elif node.func.attr in ("format", "split", "keys"):
        owner = _value(node.func.value, names, setting)
        if node.func.attr == "format" and type(owner) is str:
            return owner.format(*(_plain(argument) for argument in arguments))
        if node.func.attr == "split" and type(owner) is str:
            return owner.split(*arguments)
        if node.func.attr == "keys" and type(owner) is dict:
            return list(owner)
    raise _UnresolvedError
