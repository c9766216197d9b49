"""Operators on values: Python's own where the values are known, unknown ones that remember how they came
about otherwise."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.packages import is_installed
from freezelint.source.interpreter.thresholds import measured
from freezelint.source.interpreter.values import (
    MISSING,
    Class,
    Instance,
    Library,
    Module,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import tensors

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Texts and lists longer than this, and larger whole numbers, are not computed.
LONGEST = 100_000
_MOST_BITS = 4096
# A width or precision in a format that makes a text of five digits' length or more.
_WIDE = re.compile(r"\d{5}")

_BINARY: dict[type, tuple[Callable[[Any, Any], Any], str, str]] = {
    ast.Add: (operator.add, "+", "__add__"),
    ast.Sub: (operator.sub, "-", "__sub__"),
    ast.Mult: (operator.mul, "*", "__mul__"),
    ast.Div: (operator.truediv, "/", "__truediv__"),
    ast.FloorDiv: (operator.floordiv, "//", "__floordiv__"),
    ast.Mod: (operator.mod, "%", "__mod__"),
    ast.Pow: (operator.pow, "**", "__pow__"),
    ast.LShift: (operator.lshift, "<<", "__lshift__"),
    ast.RShift: (operator.rshift, ">>", "__rshift__"),
    ast.BitOr: (operator.or_, "|", "__or__"),
    ast.BitAnd: (operator.and_, "&", "__and__"),
    ast.BitXor: (operator.xor, "^", "__xor__"),
    ast.MatMult: (operator.matmul, "@", "__matmul__"),
}
_COMPARE: dict[type, tuple[Callable[[Any, Any], Any], str]] = {
    ast.Eq: (operator.eq, "=="),
    ast.NotEq: (operator.ne, "!="),
    ast.Lt: (operator.lt, "<"),
    ast.LtE: (operator.le, "<="),
    ast.Gt: (operator.gt, ">"),
    ast.GtE: (operator.ge, ">="),
}
_PLAIN = (int, float, complex, bool, str, bytes, type(None))


def known(value: Value) -> Value:
    """The value itself, or what an unknown one is unless somebody says otherwise; MISSING where none is."""
    return value.hint if isinstance(value, Unknown) else value


def unknown_of(node: ast.AST, left: Value, right: Value) -> Unknown:
    """An unknown that two values decide together."""
    try:
        text = ast.unparse(node)
    except Exception:
        text = f"{text_of(left)}, {text_of(right)}"
    late = any(isinstance(part, Unknown) and part.late for part in (left, right))
    return Unknown(text, late=late)


def binary(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value:
    """`left op right`."""
    compute, sign, special = _BINARY[type(op)]
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return machine.derived(left, right)
    if isinstance(op, ast.BitOr) and _is_type(left) and _is_type(right):
        return (*_united(left), *_united(right))  # `int | None`
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        late = any(isinstance(part, Unknown) and part.late for part in (left, right))
        text = f"{text_of(left)} {sign} {text_of(right)}"
        result = tensors.unseen(text, left, right, late=late)
        result.hint = _hinted(compute, left, right)
        return result
    if hasattr(left, "cls") and left.cls is not None:
        defined = machine.get(left, special)
        if not isinstance(defined, Unknown):
            return machine.call(defined, right)
    result = _computed(compute, left, right)
    if result is MISSING:
        return Unknown(f"{text_of(left)} {sign} {text_of(right)}")
    return machine.parts.taken(paid(machine, result), left, right)


def _is_type(value: Value) -> bool:
    return (
        value is None
        or isinstance(value, (Class, Library))
        or (
            isinstance(value, tuple)
            and all(part is None or isinstance(part, (Class, Library)) for part in value)
        )
    )


def _united(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def paid(machine: Machine, made: Value) -> Value:
    """What was made just now; large texts and containers cost as much as the statements that fill them."""
    whole = known(made)
    if isinstance(whole, dict) and len(whole) > 100:
        machine.tick(len(whole) // 5)
    elif isinstance(whole, (list, tuple, set)) and len(whole) > 500:
        machine.tick(len(whole) // 20)
    elif isinstance(whole, (str, bytes)) and len(whole) > 5000:
        machine.tick(len(whole) // 100)
    return made if not isinstance(made, tuple) or is_flat(made, (tuple, frozenset)) else Unknown("tuple")


_CONTAINERS: tuple[Any, ...] = (list, tuple, dict, set, frozenset)


# Containers in containers, how deep they may lie, and the elements in all of them.
_MOST_CONTAINERS = 5000
_DEEPEST = 60
_MOST_ELEMENTS = 2 * LONGEST
_ELEMENTS_OF_A_TICK = 50


def is_flat(value: Value, kinds: tuple[Any, ...] = _CONTAINERS) -> bool:
    """Whether containers in containers (of these kinds) have so few elements in all that Python can hash and
    compare them at once: `t = (t, t)` doubles them each time.
    """
    return _size_of(value, kinds) is not None


def _size_of(value: Value, kinds: tuple[Any, ...] = _CONTAINERS) -> int | None:
    """The elements of containers in containers; None where there are too many of them."""
    level = [value] if isinstance(value, kinds) else []
    containers = elements = 0
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for one in level:
            elements += len(one)
            if elements > _MOST_ELEMENTS or len(inner) > _MOST_CONTAINERS:
                return None
            parts = one.values() if isinstance(one, dict) else one
            inner += [part for part in parts if isinstance(part, kinds)]
        containers += len(level)
        if not inner or containers > _MOST_CONTAINERS:
            return None if inner else elements
        level = inner
    return None


def are_comparable(machine: Machine, *values: Value) -> bool:
    """Whether Python can compare these, or look them through, at once. That costs as much as the statements
    which make them.
    """
    sizes = [_size_of(value) for value in values]
    machine.tick(sum(_MOST_ELEMENTS if size is None else size for size in sizes) // _ELEMENTS_OF_A_TICK)
    return None not in sizes


def _hinted(compute: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    one, other = known(left), known(right)
    if one is MISSING or other is MISSING:
        return MISSING
    result = _computed(compute, one, other)
    return MISSING if isinstance(result, Unknown) else result


def _computed(compute: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    """The result of Python's own operator, unless it would be too large; MISSING where it raises."""
    try:
        if compute is operator.mul and _too_long(left, right):
            return MISSING
        if compute in (operator.pow, operator.lshift) and _too_large(compute, left, right):
            return MISSING
        if compute is operator.mod and isinstance(left, str):
            unsafe = _holds_unknown(right) or len(left) > LONGEST or _WIDE.search(left)
            return MISSING if unsafe or "%*" in left else left % right
        if not (is_flat(left) and is_flat(right)):
            return MISSING
        result = compute(left, right)
    except Exception:
        return MISSING
    return MISSING if isinstance(result, (str, bytes, list, tuple)) and len(result) > LONGEST else result


def _holds_unknown(value: Value) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return any(not isinstance(part, _PLAIN) for part in values)


def _too_long(left: Value, right: Value) -> bool:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, (str, bytes, list, tuple)) and isinstance(other, int):
            return len(one) * other > LONGEST
    if isinstance(left, int) and isinstance(right, int):
        return left.bit_length() + right.bit_length() > _MOST_BITS
    return False


def _too_large(compute: Callable[[Any, Any], Any], left: Value, right: Value) -> bool:
    if not isinstance(left, int) or not isinstance(right, int) or right < 0:
        return False
    bits = right if compute is operator.lshift else right * max(left.bit_length(), 1)
    return left.bit_length() + bits > _MOST_BITS


def unary(machine: Machine, op: ast.unaryop, value: Value) -> Value:
    """`op value`."""
    if isinstance(op, ast.Not):
        truth = machine.truth(value)
        if truth is not None:
            return not truth
        hint = known(value) if isinstance(value, Unknown) else MISSING
        late = isinstance(value, Unknown) and value.late
        result = Unknown(f"not {text_of(value)}", MISSING if hint is MISSING else not hint, late=late)
        result.opposite = value if isinstance(value, Unknown) else None
        return result
    if isinstance(value, Tensor):
        return machine.derived(value)
    if isinstance(value, Unknown):
        hint = MISSING if value.hint is MISSING else _negated(op, value.hint)
        opposite = tensors.unseen(f"-{value.text}", value, late=value.late)
        opposite.hint = hint
        return opposite
    result = _negated(op, value)
    return Unknown() if result is MISSING else result


def _negated(op: ast.unaryop, value: Value) -> Value:
    try:
        if isinstance(op, ast.USub):
            return -value
        return ~value if isinstance(op, ast.Invert) else +value
    except Exception:
        return MISSING


def compare(machine: Machine, op: ast.cmpop, left: Value, right: Value) -> Value:
    """`left op right` for one comparison."""
    if isinstance(op, (ast.Is, ast.IsNot)):
        return _identity(machine, op, left, right)
    if isinstance(op, (ast.In, ast.NotIn)):
        return _membership(machine, op, left, right)
    compute, sign = _COMPARE[type(op)]
    left, right = _member(left), _member(right)
    endless = _against_infinity(op, left, right)
    if endless is not None:
        return endless
    if isinstance(left, Library) and isinstance(right, Library) and isinstance(op, (ast.Eq, ast.NotEq)):
        return same_library(machine, left, right) is isinstance(op, ast.Eq)
    both = isinstance(left, (Module, Parameter)) and isinstance(right, (Module, Parameter))
    if both and (left is right or isinstance(left, Module)):
        return (left is right) is isinstance(op, ast.Eq)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return Tensor(text=f"{text_of(left)} {sign} {text_of(right)}")
    if isinstance(left, Library) or isinstance(right, Library):
        # A name of a library may be a setting: what it is equal to nobody knows.
        return Unknown(f"{text_of(left)} {sign} {text_of(right)}")
    if isinstance(op, (ast.Eq, ast.NotEq)) and (_excluded(left, right) or _excluded(right, left)):
        return isinstance(op, ast.NotEq)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        late = any(isinstance(part, Unknown) and part.late for part in (left, right))
        left, right, measures = measured(machine.decisions, op, left, right, machine.location())
        result = Unknown(f"{text_of(left)} {sign} {text_of(right)}", _hinted(compute, left, right), late=late)
        result.measures = measures
        result.falling = late and _falls(op, left, right)
        if isinstance(left, Unknown) and isinstance(right, _PLAIN) and isinstance(op, (ast.Eq, ast.NotEq)):
            result.equals = (left.text, right, isinstance(op, ast.Eq))
        elif isinstance(right, Unknown) and isinstance(left, _PLAIN) and isinstance(op, (ast.Eq, ast.NotEq)):
            result.equals = (right.text, left, isinstance(op, ast.Eq))
        return result
    if _uncertain(left) or _uncertain(right):
        return Unknown(f"{text_of(left)} {sign} {text_of(right)}")
    if not are_comparable(machine, left, right):
        return Unknown(f"{text_of(left)} {sign} {text_of(right)}")
    try:
        return bool(compute(left, right))
    except Exception:
        return Unknown(f"{text_of(left)} {sign} {text_of(right)}")


def _excluded(option: Value, word: Value) -> bool:
    """Whether an option takes certain words only, and this is none of them."""
    allowed = option.allowed if isinstance(option, Unknown) else ()
    # A default need not be among them.
    return bool(allowed) and isinstance(word, str) and word not in (*allowed, known(option))


def _falls(op: ast.cmpop, left: Value, right: Value) -> bool:
    """Whether a comparison with a number that only grows can but become false: `epoch < warmup`."""
    grows = [isinstance(side, Unknown) and side.late for side in (left, right)]
    return (
        grows == [True, False]
        if isinstance(op, (ast.Lt, ast.LtE))
        else (isinstance(op, (ast.Gt, ast.GtE)) and grows == [False, True])
    )


def _against_infinity(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    """`loss < float("inf")` is so whatever the loss: the first one is the best so far."""
    for value, smaller in ((right, (ast.Lt, ast.LtE)), (left, (ast.Gt, ast.GtE))):
        if (
            isinstance(value, float)
            and math.isinf(value)
            and isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
        ):
            return isinstance(op, smaller) is (value > 0)
    return None


def same_library(machine: Machine, left: Library, right: Library) -> bool:
    """Whether two names of libraries mean the same thing: `torch.nn.modules.linear.Linear`,
    `torch.nn.Linear`.
    """
    one, other = machine.vocabulary.canonical(left.name), machine.vocabulary.canonical(right.name)
    return one == other or (left.package, one.rpartition(".")[2]) == (right.package, other.rpartition(".")[2])


def _member(value: Value) -> Value:
    """The plain value that a member of an `IntEnum` or a `str` enumeration is."""
    mixed = isinstance(value, Instance) and value.kind == "enum.mixed"
    return value.attributes.get("value", value) if mixed else value


def _uncertain(value: Value) -> bool:
    """Whether a container holds something that nobody knows."""
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple, set)) and any(
        isinstance(part, (Unknown, Tensor)) for part in value
    )


def _identity(machine: Machine, op: ast.cmpop, left: Value, right: Value) -> Value:
    wanted = isinstance(op, ast.Is)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Unknown):
            sign = "is" if wanted else "is not"
            hint = (
                MISSING
                if one.hint is MISSING or isinstance(other, Unknown)
                else (one.hint is other) is wanted
            )
            return Unknown(f"{text_of(left)} {sign} {text_of(right)}", hint, late=one.late)
    if isinstance(left, Library) and isinstance(right, Library):
        return same_library(machine, left, right) is wanted
    for one in (left, right):
        if _is_setting(one):
            return Unknown(f"{text_of(left)} {'is' if wanted else 'is not'} {text_of(right)}")
    return (left is right) is wanted


def _membership(machine: Machine, op: ast.cmpop, left: Value, right: Value) -> Value:
    wanted = isinstance(op, ast.In)
    text = f"{text_of(left)} {'in' if wanted else 'not in'} {text_of(right)}"
    if isinstance(left, Unknown) or isinstance(right, (Unknown, Tensor)):
        one, other = known(left), known(right)
        if one is MISSING or other is MISSING or isinstance(other, Tensor):
            return Unknown(text, late=isinstance(left, Unknown) and left.late)
        found = _contained(machine, one, other)
        return Unknown(text, MISSING if found is None else found is wanted)
    found = _contained(machine, left, right)
    return Unknown(text) if found is None else found is wanted


def _contained(machine: Machine, element: Value, container: Value) -> bool | None:
    if isinstance(container, (str, bytes)):
        if isinstance(container, str):
            return element in container if isinstance(element, str) else None
        return element in container if isinstance(element, bytes) else None
    if isinstance(container, range):
        return element in container if isinstance(element, int) else None
    element = _member(element)
    if isinstance(container, (dict, set, frozenset)) and _is_plain(element) and element in container:
        return True
    found = machine.elements(container, "`in`")
    if found is None:
        return None
    for one in map(_member, found):
        if one is element or (_is_plain(one) and _is_plain(element) and one == element):
            return True
        if isinstance(one, Library) and isinstance(element, Library) and same_library(machine, one, element):
            return True
    if any(isinstance(one, Unknown) or _is_setting(one) for one in (element, *found)):
        return None
    return _equal_somewhere(machine, element, found)


def _is_setting(value: Value) -> bool:
    """Whether a name comes from a module that was not found: it may stand for anything."""
    return isinstance(value, Library) and not is_installed(value.name)


def _equal_somewhere(machine: Machine, element: Value, container: list[Value]) -> bool:
    if not isinstance(element, (tuple, list)):
        return False
    alike = [one for one in container if isinstance(one, (tuple, list)) and len(one) == len(element)]
    comparable = [one for one in alike if are_comparable(machine, element, one)]
    try:
        return any(one == element for one in comparable)
    except Exception:
        return False


def _is_plain(value: Value) -> bool:
    return isinstance(value, _PLAIN)


def joined(parts: list[Value]) -> Value:
    """The text of an f-string."""
    if all(isinstance(part, str) for part in parts):
        whole = "".join(parts)
        return whole if len(whole) <= LONGEST else Unknown(whole)
    hints = [known(part) for part in parts]
    text = "".join(part if isinstance(part, str) else f"{{{text_of(part)}}}" for part in parts)
    known_texts = [hint for hint in hints if isinstance(hint, str)]
    complete = len(known_texts) == len(hints) and sum(map(len, known_texts)) <= LONGEST
    return Unknown(text, "".join(known_texts) if complete else MISSING)


def formatted(value: Value, specification: Value, conversion: int) -> Value:
    """One `{value!r:spec}` of an f-string."""
    if isinstance(value, Unknown):
        hint = formatted(value.hint, specification, conversion) if value.hint is not MISSING else MISSING
        return Unknown(value.text, hint if isinstance(hint, str) else MISSING, late=value.late)
    if not _is_plain(value) or not isinstance(specification, str):
        return Unknown(text_of(value))
    try:
        shown = repr(value) if conversion == ord("r") else value
        return Unknown(text_of(value)) if _WIDE.search(specification) else format(shown, specification)
    except (ValueError, TypeError, OverflowError):
        return Unknown(text_of(value))
