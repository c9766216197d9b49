"""Methods of plain values: strings, lists, dicts, sets, numbers. Python itself runs them, once it is sure
that the result is small and that nothing unknown has a say in it.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import (
    LONGEST,
    combined_hint,
    elements,
    in_order,
    is_plain,
    keys_of,
)
from freezelint.source.interpreter.operators import are_comparable, known, paid
from freezelint.source.interpreter.signals import BudgetError, RaisedSignal, Signal
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Function,
    Intrinsic,
    Method,
    Native,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import groups

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Methods of strings whose result is as wide as a number says, and the largest such number.
_WIDENING = ("ljust", "rjust", "center", "zfill", "expandtabs", "to_bytes", "format", "format_map")
_WIDEST = 10_000
_WIDE = re.compile(r"\d{5}")
_OF_SETS = ("union", "difference", "intersection", "symmetric_difference", "issubset", "issuperset",
    "isdisjoint", "update", "difference_update", "intersection_update",
    "symmetric_difference_update")  # fmt: skip


def run(machine: Machine, native: Native, call: Call) -> Value:
    """Call a method of a plain value."""
    owner = known(native.owner)
    if isinstance(owner, (str, bytes, int, float, complex, range, slice)):
        return paid(machine, _of_constant(machine, native, owner, call))
    if isinstance(owner, (list, deque)):
        return paid(machine, _of_list(machine, native, owner, call))
    if isinstance(owner, dict):
        found = _of_dict(machine, native, owner, call)
        # What is read out of a dict was there before.
        return paid(machine, found) if native.name == "copy" else found
    if isinstance(owner, (set, frozenset)):
        return paid(machine, _of_set(machine, native, owner, call))
    return _generic(machine, native, owner, call)


def _text(native: Native, call: Call) -> str:
    return (
        f"{text_of(native.owner)}.{native.name}({', '.join(text_of(argument) for argument in call.args[:3])})"
    )


def _attempt(machine: Machine, owner: Any, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """What Python says; MISSING where it raises, or the exception where the script is prepared for it."""
    try:
        result = getattr(owner, name)(*args, **kwargs)
    except (Signal, BudgetError):
        raise
    except (KeyError, IndexError, ValueError) as error:
        kind = type(error).__name__
        if any(kind in names or "Exception" in names for names in machine.frame.handled):
            raise RaisedSignal(kind) from None
        return MISSING
    except Exception:
        return MISSING
    return list(result) if hasattr(result, "__next__") else result


# -- strings and numbers -------------------------------------------------------------------------------------


def _of_constant(machine: Machine, native: Native, owner: Any, call: Call) -> Value:
    given = list(call.args)
    if native.name == "join" and len(given) == 1:
        parts = elements(machine, given[0], "join(…)")
        if parts is None:
            return Unknown(_text(native, call))
        hint = combined_hint(parts, lambda hints: hints)
        given = [Unknown("parts", hint) if any(isinstance(part, Unknown) for part in parts) else parts]
    values = [*given, *call.kwargs.values()]
    hints = [known(value) for value in values]
    if not call.complete or any(hint is MISSING or not is_plain(hint) for hint in hints):
        return Unknown(_text(native, call))
    args, kwargs = hints[: len(given)], dict(zip(call.kwargs, hints[len(given) :], strict=True))
    if _is_too_long(owner, native.name, hints) or _is_searched(owner, hints):
        return Unknown(_text(native, call))
    result = _attempt(machine, owner, native.name, args, kwargs)
    if result is not MISSING and not any(isinstance(value, Unknown) for value in (native.owner, *values)):
        return result
    late = any(isinstance(value, Unknown) and value.late for value in (native.owner, *values))
    return Unknown(_text(native, call), result, late=late)


def _is_too_long(owner: Any, name: str, args: list[Value]) -> bool:
    """Whether a method of a string may give a longer one than anybody needs."""
    if not isinstance(owner, (str, bytes)):
        return name == "to_bytes" and any(isinstance(value, int) and value > _WIDEST for value in args)
    lengths = [len(value) for value in args if isinstance(value, (str, bytes))]
    if len(owner) > LONGEST or sum(lengths) > LONGEST:
        return True
    if name in _WIDENING:
        numbers = [value for value in args if isinstance(value, int)]
        return any(abs(number) > _WIDEST for number in numbers) or bool(
            name.startswith("format") and isinstance(owner, str) and _WIDE.search(owner)
        )
    if name == "replace" and len(lengths) == 2:
        return type(args[0]) is type(owner) and owner.count(args[0]) * lengths[1] > LONGEST  # type: ignore[arg-type]
    if name == "join" and args and isinstance(args[0], (list, tuple)):
        parts = [part for part in args[0] if isinstance(part, (str, bytes))]
        return sum(map(len, parts)) + len(owner) * len(parts) > LONGEST
    return False


def _is_searched(owner: Any, args: list[Value]) -> bool:
    """Whether Python looks at all numbers of a range, one by one: for whole ones it knows the place."""
    return isinstance(owner, range) and not all(type(value) is int for value in args)


# -- containers ----------------------------------------------------------------------------------------------


def _of_list(machine: Machine, native: Native, owner: Any, call: Call) -> Value:
    name = native.name
    if name in ("extend", "extendleft") and call.args:
        added = elements(machine, call.args[0], "extend(…)")
        added = [Unknown(f"{text_of(call.args[0])}[…]")] if added is None else added
        if len(owner) + len(added) <= LONGEST:
            getattr(owner, name)(added)
            machine.parts.taken(owner, call.args[0])
            machine.parts.added(owner)
        return None
    if name == "sort":
        _sort(machine, owner, call)
        return None
    if name in ("append", "appendleft", "insert") and len(owner) >= LONGEST:
        return None
    if name in ("append", "appendleft", "insert"):
        machine.parts.added(owner)
    if name == "insert" and len(call.args) == 2 and not isinstance(known(call.args[0]), int):
        owner.append(call.args[1])
        return None
    return _generic(machine, native, owner, call)


def _sort(machine: Machine, owner: list[Value], call: Call) -> None:
    """In place. Where nobody knows the order, nobody knows which element is where."""
    backwards = machine.truth(known(call.kwargs.get("reverse", False)))
    values = list(owner)
    hint: Value = MISSING
    if backwards is not None:
        keys = keys_of(machine, values, call.kwargs.get("key"))
        hint = combined_hint(keys, lambda plain: in_order(values, plain, bool(backwards)))
    if hint is not MISSING:
        owner[:] = hint
    elif len(owner) > 1:
        owner[:] = [Unknown(f"sorted[{position}]") for position in range(len(owner))]


def _of_dict(machine: Machine, native: Native, owner: dict[Value, Value], call: Call) -> Value:
    name = native.name
    if name == "update":
        _update(machine, owner, call)
        return None
    if name == "fromkeys" and call.args:
        keys = elements(machine, call.args[0], "fromkeys(…)")
        value = call.get(1, "value", None)
        return Unknown(_text(native, call)) if keys is None else _hashed(keys, value)
    if (
        name in ("get", "pop", "setdefault", "move_to_end")
        and call.args
        and isinstance(call.args[0], Unknown)
    ):
        hint = call.args[0].hint
        if hint is MISSING or not is_plain(hint):
            return Unknown(_text(native, call))
        call.args[0] = hint
    return _generic(machine, native, owner, call)


def _hashed(keys: list[Value], value: Value) -> Value:
    try:
        return dict.fromkeys(keys, value)
    except TypeError:
        return Unknown("fromkeys(…)")


def _update(machine: Machine, owner: dict[Value, Value], call: Call) -> None:
    """`d.update(…)`: what comes from something unknown may have replaced anything."""
    added: dict[Value, Value] = {}
    for source in call.args[:1]:
        plain = known(source)
        rows = plain.items() if isinstance(plain, dict) else elements(machine, source, "update(…)")
        pairs = None if rows is None else [elements(machine, row) for row in rows]
        if pairs is None or any(pair is None or len(pair) != 2 for pair in pairs):
            owner.update({key: _doubted(value) for key, value in owner.items()})
            continue
        try:
            added.update({pair[0]: pair[1] for pair in pairs if pair is not None})
        except TypeError:
            continue
    added.update(call.kwargs)
    for key, value in added.items():
        groups.written(machine, owner, key, value)
    owner.update(added)


def _doubted(value: Value) -> Value:
    """A plain value that may be another one, too."""
    return Unknown(text_of(value), value) if isinstance(value, (str, int, float, type(None))) else value


def _of_set(machine: Machine, native: Native, owner: Any, call: Call) -> Value:
    if native.name not in _OF_SETS:
        return _generic(machine, native, owner, call)
    others = [elements(machine, argument, f"{native.name}(…)") for argument in call.args]
    if any(other is None for other in others):
        if native.name == "update":
            owner.add(Unknown("…"))
        return Unknown(_text(native, call))
    together = [*owner, *(value for other in others if other is not None for value in other)]
    doubtful = any(isinstance(value, Unknown) for value in together) and native.name not in (
        "union",
        "update",
    )
    result = MISSING if doubtful else _attempt(machine, owner, native.name, [*others], {})
    return Unknown(_text(native, call)) if result is MISSING else result


def _generic(machine: Machine, native: Native, owner: Any, call: Call) -> Value:
    """Any other method: with the values as they are, and functions of the script as ones Python can call."""
    name = native.name
    asks = name in ("index", "count", "remove")
    if asks and any(isinstance(value, (Unknown, Tensor)) and value not in owner for value in call.args[:1]):
        return Unknown(_text(native, call))
    if asks and not are_comparable(machine, owner, *call.args):
        return Unknown(_text(native, call))
    args = [_callable(machine, argument) for argument in call.args]
    kwargs = {key: _callable(machine, value) for key, value in call.kwargs.items()}
    if name in ("pop", "popleft", "rotate", "insert", "most_common") and args:
        args = [known(argument) if position == 0 else argument for position, argument in enumerate(args)]
    result = _attempt(machine, owner, name, args, kwargs)
    return Unknown(_text(native, call)) if result is MISSING else result


def _callable(machine: Machine, value: Value) -> Value:
    if isinstance(value, (Function, Method, Intrinsic)):
        return lambda *args: machine.call(value, *args)
    return value
