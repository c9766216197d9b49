"""A little of numpy: numbers and short arrays of numbers, as schedules and groups are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.iterables import LONGEST, computed, elements, is_plain, made
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Instance, Tensor, Unknown, Value
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_KIND = "numpy.ndarray"
_LONGEST = 10_000
_OF_NUMBERS: dict[str, Callable[..., Any]] = {"ceil": math.ceil, "floor": math.floor, "log":
    math.log, "log2": math.log2, "log10": math.log10, "sqrt": math.sqrt, "exp": math.exp, "cos":
    math.cos, "sin": math.sin, "tanh": math.tanh, "abs": abs, "round": round, "power": pow,
    "minimum": min, "maximum": max, "float32": float, "float64": float, "int32": int,
    "int64": int}  # fmt: skip


def array_of(values: list[Value]) -> Instance:
    """An array with these elements: it can be run through and indexed, everything else is unknown."""
    return Instance(None, {"(values)": values}, kind=_KIND)


def _values(array: Value) -> list[Value]:
    found = array.attributes.get("(values)", []) if isinstance(array, Instance) else []
    return found if isinstance(found, list) else []


@function(*(f"numpy.{name}" for name in _OF_NUMBERS if name != "power"))
def on_numbers(machine: Machine, call: Call) -> Value:
    """Functions of single numbers."""
    name = call.name.rpartition(".")[2]
    if any(
        isinstance(argument, Tensor) or not isinstance(known(argument), (int, float))
        for argument in call.args
    ):
        return Unknown(f"numpy.{name}(…)")
    return computed(machine, f"numpy.{name}", _OF_NUMBERS[name], *call.args[:2])


@function("numpy.arange")
def arange(machine: Machine, call: Call) -> Value:
    """Whole numbers in a row."""
    bounds = [known(argument) for argument in call.args[:3]]
    if (
        not bounds
        or any(not isinstance(bound, int) for bound in bounds)
        or (len(bounds) == 3 and not bounds[2])
    ):
        return Unknown("numpy.arange(…)")
    found = range(*bounds)
    small = abs(found.stop - found.start) <= _LONGEST
    return array_of(list(found)) if small else Unknown("numpy.arange(…)")


@function("numpy.linspace", "numpy.logspace", "numpy.geomspace")
def linspace(machine: Machine, call: Call) -> Value:
    """Numbers at equal distances."""
    start, stop, number = (
        known(call.get(0, "start", 0)),
        known(call.get(1, "stop", 1)),
        known(call.get(2, "num", 50)),
    )
    if not all(isinstance(bound, (int, float)) for bound in (start, stop)) or not isinstance(number, int):
        return Unknown(f"{call.name}(…)")
    if (
        not 0 < number <= _LONGEST
        or not call.name.endswith("linspace")
        or call.kwargs.keys() - {"start", "stop", "num"}
    ):
        return Unknown(f"{call.name}(…)")
    steps = max(number - 1, 1)
    return array_of([start + (stop - start) * i / steps for i in range(number)])


@function("numpy.array", "numpy.asarray")
def array(machine: Machine, call: Call) -> Value:
    """An array of known numbers."""
    found = elements(machine, call.get(0, "object", None))
    flat = (
        found is not None
        and len(found) <= _LONGEST
        and all(isinstance(value, (int, float, str)) for value in found)
    )
    return array_of(list(found)) if found is not None and flat else Unknown("numpy.array(…)")


@function("numpy.argsort")
def argsort(machine: Machine, call: Call) -> Value:
    """The places of the elements in ascending order."""
    found = elements(machine, call.get(0, "a", None))
    if found is None or not is_plain(found) or not all(isinstance(value, (int, float)) for value in found):
        return Unknown("numpy.argsort(…)")
    return array_of(sorted(range(len(found)), key=found.__getitem__))


@function("numpy.array_split")
def array_split(machine: Machine, call: Call) -> Value:
    """About equal parts of a list."""
    found, number = (
        elements(machine, call.get(0, "ary", None)),
        known(call.get(1, "indices_or_sections", None)),
    )
    if found is None or not isinstance(number, int) or not 0 < number <= 1000:
        return Unknown("numpy.array_split(…)")
    size, more = divmod(len(found), number)
    starts = [i * size + min(i, more) for i in range(number + 1)]
    return [array_of(found[starts[i] : starts[i + 1]]) for i in range(number)]


@function(f"{_KIND}.__iter__")
def iterate(machine: Machine, call: Call) -> Value:
    """Its elements."""
    values: Iterator[Value] = iter(_values(call.owner))
    return made(machine, values, "array")


@function(f"{_KIND}.__getitem__")
def item(machine: Machine, call: Call) -> Value:
    """An element, or a part."""
    values, key = _values(call.owner), known(call.get(1, "key", None))
    if isinstance(key, int) and -len(values) <= key < len(values):
        return values[key]
    if isinstance(key, slice):
        try:
            return array_of(values[key])
        except TypeError:
            return Unknown("array[…]")
    return Unknown("array[…]")


@function(f"{_KIND}.__len__")
def length(machine: Machine, call: Call) -> Value:
    """How many elements it has."""
    return len(_values(call.owner))


@function(f"{_KIND}.tolist", f"{_KIND}.copy", f"{_KIND}.flatten")
def tolist(machine: Machine, call: Call) -> Value:
    """Its elements as a list."""
    values = list(_values(call.owner))
    return values if call.name.endswith("tolist") else array_of(values)


@function(
    f"{_KIND}.sum",
    "numpy.sum",
    "numpy.cumsum",
    "numpy.mean",
    "numpy.max",
    "numpy.min",
    "numpy.median",
    "numpy.std",
)
def reduced(machine: Machine, call: Call) -> Value:
    """The sum of few known numbers; other statistics are unknown."""
    name = call.name.rpartition(".")[2]
    owner = call.get(0, "a", None)
    found = _values(owner) if isinstance(owner, Instance) else elements(machine, owner)
    plain = (
        found is not None
        and 0 < len(found) <= LONGEST
        and all(isinstance(value, (int, float)) for value in found)
    )
    if found is None or not plain or call.kwargs or len(call.args) > 1:
        return Unknown(f"numpy.{name}(…)")
    if name in ("max", "min"):
        return max(found) if name == "max" else min(found)
    return sum(found) if name == "sum" else Unknown(f"numpy.{name}(…)")


@constant("numpy.inf")
def inf() -> float:
    """Infinity."""
    return math.inf


@constant("numpy.pi")
def pi() -> float:
    """The number π."""
    return math.pi
