"""`functools`: `partial`, `reduce`, and decorators that change nothing we follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import elements
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Function,
    Intrinsic,
    Library,
    Method,
    Module,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {"toolz.partial": "functools.partial", "jaxtyping.jaxtyped": "functools.wraps"}


def identity(name: str) -> Intrinsic:
    """A decorator that gives back what it is given."""
    return Intrinsic(name, lambda machine, call: call.args[0] if call.args else Unknown(name))


@function("functools.partial", "functools.partialmethod")
def partial(machine: Machine, call: Call) -> Value:
    """A call whose first arguments are given in advance."""
    if not call.args:
        return Unknown("partial(…)")
    target = call.args[0]

    def run(machine: Machine, later: Call) -> Value:
        args, kwargs = [*call.args[1:], *later.args], {**call.kwargs, **later.kwargs}
        complete = call.complete and later.complete
        return machine.call_with(target, Call(later.node, args, kwargs, complete=complete))

    return Intrinsic(f"partial({text_of(target)})", run)


@function("functools.reduce")
def reduce(machine: Machine, call: Call) -> Value:
    """The function over all elements, from left to right."""
    apply, total = call.get(0, "function", None), call.get(2, "initial", MISSING)
    found = elements(machine, call.get(1, "iterable", None), "reduce(…)")
    if found is None:
        return Unknown("reduce(…)")
    for value in found:
        machine.tick()
        total = value if total is MISSING else machine.call(apply, total, value)
    return Unknown("reduce(…)") if total is MISSING else total


@function("functools.wraps", "functools.update_wrapper")
def wraps(machine: Machine, call: Call) -> Value:
    """The wrapper itself."""
    return call.args[0] if call.name.endswith("update_wrapper") and call.args else identity("wraps")


def _remembering(machine: Machine, call: Call) -> Value:
    function = call.args[0] if call.args else Unknown(call.name)
    if isinstance(function, Function) and function.remembered is None:
        function.remembered = {}
    return function


@function("functools.lru_cache", "functools.cache")
def lru_cache(machine: Machine, call: Call) -> Value:
    """A function that runs once for the same arguments."""
    given = bool(call.args) and isinstance(call.args[0], Function)
    return _remembering(machine, call) if given else Intrinsic("lru_cache(…)", _remembering)


_TRANSPARENT = ("functools.singledispatch",
    "functools.singledispatchmethod", "functools.total_ordering", "functools.cmp_to_key",
    "atexit.register", "numba.jit", "numba.njit", "typing.overload", "typing.final",
    "typing.no_type_check", "typing.runtime_checkable", "typing_extensions.override",
    "typing.override", "abc.abstractmethod", "deprecated.deprecated", "joblib.delayed",
    "retry.retry", "beartype.beartype", "typeguard.typechecked", "pytest.fixture",
    "contextlib.ContextDecorator", "weakref.ref", "weakref.proxy")  # fmt: skip


@function(*_TRANSPARENT)
def transparent(machine: Machine, call: Call) -> Value:
    """A decorator, with arguments or without, that leaves the function what it is."""
    first = call.args[0] if call.args else None
    if isinstance(first, (Function, Method, Class, Intrinsic, Library, Module)):
        return first
    return identity(call.name)
