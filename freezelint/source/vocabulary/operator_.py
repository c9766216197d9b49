"""`operator`: getters, and operators as functions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source.interpreter import items, operators
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Intrinsic, Unknown, Value
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_BINARY: dict[str, type[ast.operator]] = {"add": ast.Add, "sub": ast.Sub, "mul": ast.Mult,
    "truediv": ast.Div, "floordiv": ast.FloorDiv, "mod": ast.Mod, "and_": ast.BitAnd, "or_":
    ast.BitOr, "xor": ast.BitXor, "matmul": ast.MatMult, "concat": ast.Add, "iadd": ast.Add, "ior":
    ast.BitOr, "isub": ast.Sub, "imul": ast.Mult}  # fmt: skip
_COMPARE: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE,
    "is_": ast.Is, "is_not": ast.IsNot,
}  # fmt: skip


@function("operator.attrgetter")
def attrgetter(machine: Machine, call: Call) -> Value:
    """Reads attributes by dotted names."""
    names = [known(name) for name in call.args]

    def run(machine: Machine, later: Call) -> Value:
        owner = later.get(0, "obj", None)
        found = tuple(_dotted(machine, owner, name) for name in names)
        return found[0] if len(found) == 1 else found

    return Intrinsic("attrgetter", run)


def _dotted(machine: Machine, owner: Value, name: Value) -> Value:
    if not isinstance(name, str):
        return Unknown(f"{text_of(owner)}.…")
    for part in name.split(".")[:20]:
        owner = machine.get(owner, part)
    return owner


@function("operator.itemgetter")
def itemgetter(machine: Machine, call: Call) -> Value:
    """Reads items by their keys."""

    def run(machine: Machine, later: Call) -> Value:
        owner = later.get(0, "obj", None)
        found = tuple(items.get_item(machine, owner, key) for key in call.args)
        return found[0] if len(found) == 1 else found

    return Intrinsic("itemgetter", run)


@function("operator.methodcaller")
def methodcaller(machine: Machine, call: Call) -> Value:
    """Calls a method by its name."""
    name = known(call.get(0, "name", None))

    def run(machine: Machine, later: Call) -> Value:
        owner = later.get(0, "obj", None)
        if not isinstance(name, str):
            return Unknown("methodcaller(…)")
        return machine.call(machine.get(owner, name), *call.args[1:], **call.kwargs)

    return Intrinsic("methodcaller", run)


@function(*(f"operator.{name}" for name in (*_BINARY, *_COMPARE)))
def operator(machine: Machine, call: Call) -> Value:
    """An operator as a function."""
    name = call.name.rpartition(".")[2]
    if len(call.args) != 2:
        return Unknown(f"{name}(…)")
    if name in _COMPARE:
        return operators.compare(machine, _COMPARE[name](), *call.args)
    return operators.binary(machine, _BINARY[name](), *call.args)


@function("operator.neg", "operator.not_", "operator.invert")
def unary(machine: Machine, call: Call) -> Value:
    """An operator with one operand."""
    kinds: dict[str, type[ast.unaryop]] = {"neg": ast.USub, "not_": ast.Not, "invert": ast.Invert}
    return operators.unary(machine, kinds[call.name.rpartition(".")[2]](), call.get(0, "a", None))


@function("operator.getitem")
def getitem(machine: Machine, call: Call) -> Value:
    """`owner[key]`."""
    return items.get_item(machine, call.get(0, "a", None), call.get(1, "b", None))


@function("operator.contains")
def contains(machine: Machine, call: Call) -> Value:
    """`element in container`."""
    return operators.compare(machine, ast.In(), call.get(1, "b", None), call.get(0, "a", None))
