"""`math` on known numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.iterables import computed, elements
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Tensor, Unknown, Value
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_FUNCTIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (math.ceil,
    math.floor, math.trunc, math.sqrt, math.exp, math.log, math.log2, math.log10, math.log1p,
    math.sin, math.cos, math.tan, math.asin, math.acos, math.atan, math.atan2, math.sinh, math.cosh,
    math.tanh, math.fabs, math.fmod, math.hypot, math.isnan, math.isinf, math.isfinite,
    math.isclose, math.copysign, math.gcd, math.degrees, math.radians, math.erf, math.expm1,
    math.remainder, math.modf, math.frexp, )}  # fmt: skip


@function(*(f"math.{name}" for name in _FUNCTIONS))
def on_numbers(machine: Machine, call: Call) -> Value:
    """A function of known numbers; of a tensor, a number without a graph."""
    name = call.name.rpartition(".")[2]
    if any(isinstance(argument, Tensor) for argument in call.args):
        return Unknown(f"{name}(…)")
    return computed(machine, name, _FUNCTIONS[name], *call.args[:4])


@function("math.factorial", "math.comb", "math.perm", "math.isqrt")
def on_whole_numbers(machine: Machine, call: Call) -> Value:
    """Functions whose results grow fast."""
    name = call.name.rpartition(".")[2]
    compute: dict[str, Callable[..., Any]] = {
        "factorial": math.factorial, "comb": math.comb, "perm": math.perm, "isqrt": math.isqrt,
    }  # fmt: skip
    if any(not isinstance(known(argument), int) or abs(known(argument)) > 500 for argument in call.args):
        return Unknown(f"{name}(…)")
    return computed(machine, name, compute[name], *call.args[:2])


@function("math.prod", "numpy.prod")
def prod(machine: Machine, call: Call) -> Value:
    """The product of known numbers."""
    values = elements(machine, call.get(0, "iterable", None), "prod(…)")
    if values is None or len(values) > 1000 or any(isinstance(value, Tensor) for value in values):
        return Unknown("prod(…)")
    small = all(not isinstance(known(value), int) or abs(known(value)) < 10**12 for value in values)
    return (
        computed(machine, "prod", lambda *numbers: math.prod(numbers), *values)
        if small
        else Unknown("prod(…)")
    )


@constant("math.pi")
def pi() -> float:
    """The number π."""
    return math.pi


@constant("math.e")
def e() -> float:
    """The number e."""
    return math.e


@constant("math.inf")
def inf() -> float:
    """Infinity."""
    return math.inf


@constant("math.tau")
def tau() -> float:
    """2π."""
    return math.tau


@constant("math.nan")
def nan() -> Value:
    """Not a number: equal to nothing, so that comparisons with it tell nothing."""
    return Unknown("nan")
