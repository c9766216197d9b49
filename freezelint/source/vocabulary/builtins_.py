"""Python's own types and functions on plain values."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import natives, operators
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import computed, elements, is_plain
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Context,
    Instance,
    Native,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_MOST_DIGITS = 1000


def _text(call: Call, name: str) -> str:
    return f"{name}({', '.join(text_of(argument) for argument in call.args[:3])})"


# -- output and input ----------------------------------------------------------------------------------------


@function("builtins.print", "builtins.breakpoint", "builtins.help", "pprint.pprint", "rich.print")
def print_(machine: Machine, call: Call) -> None:
    """Shows its arguments: an iterator among them with `*` has been used up before."""


@function("builtins.input")
def input_(machine: Machine, call: Call) -> Value:
    """What the user types."""
    return Unknown("input()")


@function("builtins.open")
def open_(machine: Machine, call: Call) -> Value:
    """Files are never looked into."""
    file = Unknown(_text(call, "open"))
    return (
        Context("open", value=file)
        if isinstance(machine.frame.statement, (ast.With, ast.AsyncWith))
        else file
    )


# -- containers ----------------------------------------------------------------------------------------------


@function("builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset")
def container(machine: Machine, call: Call) -> Value:
    """A container of all elements, where they are known."""
    name = call.name.rpartition(".")[2]
    make: Callable[[Any], Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[name]
    if not call.args:
        return machine.parts.made(make(())) if call.complete else Unknown(f"{name}(…)")
    value = call.args[0]
    found = elements(machine, value, f"{name}(…)")
    if found is None:
        return Unknown(_text(call, name))
    try:
        return machine.parts.taken(operators.paid(machine, make(found)), value)
    except TypeError:
        return Unknown(_text(call, name))


@function("builtins.dict")
def dict_(machine: Machine, call: Call) -> Value:
    """A dict of a dict, of pairs, of keywords."""
    found: dict[Value, Value] = {}
    complete = call.complete
    if call.args:
        source = known(call.args[0])
        try:
            found.update(source if isinstance(source, dict) else _pairs(machine, call.args[0]))
        except (TypeError, ValueError):
            complete = False
    found.update(call.kwargs)
    if complete:
        return operators.paid(machine, found)
    unknown = Unknown(_text(call, "dict"))
    unknown.attributes.update({("item", key): value for key, value in found.items() if isinstance(key, str)})
    return unknown


def _pairs(machine: Machine, value: Value) -> list[tuple[Value, Value]]:
    """Keys and values; raises TypeError where they are not known."""
    found = elements(machine, value, "dict(…)")
    if found is None:
        raise TypeError
    rows = [elements(machine, pair) for pair in found]
    if any(row is None or len(row) != 2 for row in rows):
        raise TypeError
    return [(row[0], row[1]) for row in rows if row is not None]


@function("builtins.slice")
def slice_(machine: Machine, call: Call) -> Value:
    """The object that `a[b:c]` makes."""
    hints = [known(argument) for argument in call.args]
    if not 1 <= len(hints) <= 3 or any(hint is MISSING or isinstance(hint, Tensor) for hint in hints):
        return Unknown(_text(call, "slice"))
    found = slice(*hints)
    return Unknown("slice", found) if any(isinstance(argument, Unknown) for argument in call.args) else found


@function(
    "builtins.str.*",
    "builtins.list.*",
    "builtins.dict.*",
    "builtins.set.*",
    "builtins.int.*",
    "builtins.float.*",
)
def method_of_type(machine: Machine, call: Call) -> Value:
    """`str.lower(text)`, `dict.fromkeys(names)`: a method taken from its class."""
    owner, name = call.name.split(".")[1], call.name.rpartition(".")[2]
    if owner == "dict" and name == "fromkeys":
        return natives.run(machine, Native({}, name), call)
    kinds: dict[str, type] = {"str": str, "list": list, "dict": dict, "set": set, "int": int, "float": float}
    first = call.args[0] if call.args else None
    if not isinstance(known(first), kinds[owner]) or name.startswith("_"):
        return Unknown(_text(call, name))
    inner = Call(call.node, call.args[1:], call.kwargs, complete=call.complete)
    return natives.run(machine, Native(first, name), inner) if hasattr(kinds[owner], name) else Unknown(name)


# -- numbers and texts ---------------------------------------------------------------------------------------


_MOST_BITS = 4096


@function("builtins.str", "builtins.repr", "builtins.ascii")
def str_(machine: Machine, call: Call) -> Value:
    """The text of plain values."""
    if not call.args:
        return ""
    value = call.args[0]
    hint = known(value)
    shown = repr if call.name != "builtins.str" else str
    if isinstance(hint, (str, int, float, bool, complex, bytes, type(None))) or _short(hint):
        if isinstance(hint, int) and hint.bit_length() > _MOST_BITS:
            return Unknown(f"str({text_of(value)})")  # Python refuses to write out such numbers
        return Unknown(text_of(value), shown(hint)) if isinstance(value, Unknown) else shown(hint)
    own = machine.get(value, "__str__") if isinstance(value, Instance) else None
    if own is not None and not isinstance(own, Unknown):
        return machine.call(own)
    return Unknown(f"str({text_of(value)})")


def _short(value: Value) -> bool:
    return isinstance(value, (list, tuple, dict, set, frozenset, range)) and is_plain(value, 500)


@function("builtins.int", "builtins.float", "builtins.complex")
def number(machine: Machine, call: Call) -> Value:
    """A number of Python; of a tensor, one without a graph."""
    name = call.name.rpartition(".")[2]
    if not call.args:
        return {"int": 0, "float": 0.0, "complex": 0j}[name]
    if isinstance(call.args[0], Tensor):
        item = machine.get(call.args[0], "item")
        return Unknown(_text(call, name)) if isinstance(item, Unknown) else machine.call(item)
    make: Callable[..., Any] = {"int": int, "float": float, "complex": complex}[name]
    if any(
        isinstance(known(argument), str) and len(known(argument)) > _MOST_DIGITS for argument in call.args
    ):
        return Unknown(name)
    base = call.kwargs.get("base")
    return computed(machine, name, make, *call.args, *(() if base is None else (base,)))


@function("builtins.bool")
def bool_(machine: Machine, call: Call) -> Value:
    """Truth, where it is known."""
    value = call.get(0, "x", False)
    truth = machine.truth(value)
    if truth is not None:
        return truth
    hint = known(value) if isinstance(value, Unknown) else MISSING
    late = isinstance(value, Unknown) and value.late
    return Unknown(text_of(value), MISSING if hint is MISSING else machine.truth(hint), late=late)


@function("builtins.bytes", "builtins.bytearray", "builtins.memoryview")
def bytes_(machine: Machine, call: Call) -> Value:
    """Raw bytes, which no script of ours decides anything by."""
    return Unknown(_text(call, call.name.rpartition(".")[2]))


@function(
    "builtins.abs",
    "builtins.round",
    "builtins.ord",
    "builtins.chr",
    "builtins.hex",
    "builtins.oct",
    "builtins.bin",
)
def on_numbers(machine: Machine, call: Call) -> Value:
    """Functions of one number (and digits, for `round`)."""
    name = call.name.rpartition(".")[2]
    compute: dict[str, Callable[..., Any]] = {
        "abs": abs, "round": round, "ord": ord, "chr": chr, "hex": hex, "oct": oct, "bin": bin,
    }  # fmt: skip
    digits = call.get(1, "ndigits", None) if name == "round" else None
    if digits is not None and not (isinstance(known(digits), int) and abs(known(digits)) < 100):
        return Unknown(_text(call, name))
    return computed(machine, name, compute[name], *call.args[:1], *(() if digits is None else (digits,)))


@function("builtins.divmod")
def divmod_(machine: Machine, call: Call) -> Value:
    """Quotient and rest."""
    return computed(machine, "divmod", divmod, *call.args[:2])


@function("builtins.pow", "operator.pow", "math.pow")
def pow_(machine: Machine, call: Call) -> Value:
    """A power, unless it is too large to be meant."""
    if len(call.args) != 2:
        return Unknown(_text(call, "pow"))
    return operators.binary(machine, ast.Pow(), call.args[0], call.args[1])


@function("builtins.format")
def format_(machine: Machine, call: Call) -> Value:
    """`format(value, specification)`."""
    return operators.formatted(call.get(0, "value", ""), call.get(1, "format_spec", ""), -1)


@function("builtins.hash")
def hash_(machine: Machine, call: Call) -> Value:
    """Of objects that compare by identity their number; of texts it differs from run to run."""
    value = call.get(0, "obj", None)
    return id(value) if isinstance(value, Parameter) else Unknown(_text(call, "hash"))


# -- code made at run time -----------------------------------------------------------------------------------


@function("builtins.eval")
def eval_(machine: Machine, call: Call) -> Value:
    """A known text is read like any other expression of the script; nothing is run."""
    source = known(call.get(0, "source", None))
    if isinstance(source, str) and len(source) < 500 and len(call.args) == 1:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                body = ast.parse(source.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Unknown(_text(call, "eval"))
        for node in ast.walk(body):
            ast.copy_location(node, call.node)
        found = machine.evaluate(body)
        plain = is_plain(found) and isinstance(call.args[0], Unknown)
        return Unknown(_text(call, "eval"), found) if plain else found
    machine.limit("`eval`", "code made while the script runs cannot be read", machine.location())
    return Unknown(_text(call, "eval"))


@function("builtins.exec", "builtins.compile")
def exec_(machine: Machine, call: Call) -> Value:
    """Code that is not there to be read."""
    name = call.name.rpartition(".")[2]
    machine.limit(f"`{name}`", "code made while the script runs cannot be read", machine.location())
    return Unknown(_text(call, name)) if name == "compile" else None


@constant("builtins.NotImplemented", "builtins.Ellipsis", "builtins.__debug__")
def constants() -> Value:
    """Names that nothing of ours looks into."""
    return Unknown("constant")
