"""What vocabulary asks of iterables and of plain values: whether elements are known, and what follows from
values where some are unknown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import iteration
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.operators import is_flat, known
from freezelint.source.interpreter.signals import BudgetError, Signal
from freezelint.source.interpreter.values import MISSING, Items, Module, Parameter, Tensor, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Longer texts and containers are not made.
LONGEST = 100_000
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ITERABLE: tuple[Any, ...] = (list, tuple, dict, set, frozenset, str, bytes, range, deque, *_VIEWS)
_PLAIN = (str, int, float, complex, bool, bytes, type(None))


@dataclass(eq=False)
class Endless(Repeat):
    """A `Repeat` that is known to have no end. `position` is where `next` stands."""

    position: int = 0


def lazily(machine: Machine, value: Value, consumer: str = "") -> Iterator[Value] | None:
    """The elements one at a time; None where nobody knows how many there are, or which."""
    if isinstance(value, Unknown) and isinstance(value.hint, _ITERABLE):
        value = value.hint
    if isinstance(value, (Unknown, Tensor, Repeat)):
        return None
    if isinstance(value, range) and _size(value) > LONGEST:
        return None
    if isinstance(value, _ITERABLE):
        return _paced(machine, value if isinstance(value, range) else list(value))
    if isinstance(value, Module) and not iteration.is_iterable_module(value):
        own = value.cls is not None and value.cls.find("__iter__") is not None
        return machine.iterate(value, consumer) if own else None
    if isinstance(value, (Items, Module)) or iteration.is_iterable(machine, value):
        return machine.iterate(value, consumer)
    return None


def _paced(machine: Machine, values: Iterable[Value]) -> Iterator[Value]:
    """Plain elements, which cost a little all the same."""
    for position, value in enumerate(values):
        if position % 32 == 31:
            machine.tick()
        yield value


def elements(machine: Machine, value: Value, consumer: str = "") -> list[Value] | None:
    """All elements; None where nobody knows them, or where they are too many."""
    found = lazily(machine, value, consumer)
    if found is None:
        return None
    taken: list[Value] = []
    for element in found:
        taken.append(element)
        if len(taken) > LONGEST:
            return None
    return taken


def element_at(machine: Machine, value: Value, position: Value) -> Value:
    """An element of something of unknown length."""
    if isinstance(value, Repeat):
        return value.element(position)
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return machine.derived(value)
    return Unknown(f"{text_of(value)}[{text_of(position)}]")


def made(machine: Machine, source: Iterator[Value], name: str, *sources: Value) -> Items:
    """An iterator that a function of the script's gave, over these sources."""
    of_parameters = any(isinstance(one, Items) and one.of_parameters for one in sources)
    return Items(source, of_parameters, machine.location(), name)


def size(value: Value) -> int | None:
    """How many elements a plain value has; None for what has none."""
    return _size(value) if isinstance(value, _ITERABLE) else None


def _size(value: Any) -> int:
    try:
        return len(value)
    except OverflowError:  # a range of more elements than a machine word counts
        return LONGEST * LONGEST


def is_plain(value: Value, budget: int = 2000) -> bool:
    """Whether a value is a constant or a container of constants, all the way down."""
    pending = [value]
    for _ in range(budget):
        if not pending:
            return True
        current = pending.pop()
        if isinstance(current, dict):
            pending.extend(current.keys())
            pending.extend(current.values())
        elif isinstance(current, (list, tuple, set, frozenset, deque)):
            pending.extend(current)
        elif not isinstance(current, (*_PLAIN, range, slice)):
            return False
        if len(pending) > budget:
            return False
    return not pending


def computed(machine: Machine, text: str, compute: Callable[..., Any], *values: Value) -> Value:
    """What a function of Python gives for plain values; a tensor for tensors; where some are unknown an
    unknown one, with the hint that follows from theirs.
    """
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors:
        return machine.derived(*tensors)
    hints = [known(value) for value in values]
    shown = f"{text}({', '.join(text_of(value) for value in values[:3])})"
    late = any(isinstance(value, Unknown) and value.late for value in values)
    if any(hint is MISSING or not is_plain(hint) for hint in hints):
        return Unknown(shown, late=late)
    try:
        result = compute(*hints)
    except (Signal, BudgetError):
        raise
    except Exception:
        return Unknown(shown, late=late)
    certain = not any(isinstance(value, Unknown) for value in values)
    return result if certain else Unknown(shown, result, late=late)


def keys_of(machine: Machine, values: list[Value], key: Value) -> list[Value]:
    """What values are compared by when they are sorted."""
    return values if key is None else [machine.call(key, value) for value in values]


def in_order(values: list[Value], keys: list[Value], backwards: bool) -> list[Value]:
    """The values in the order of their keys. Raises TypeError for keys that cannot be compared."""
    return [values[i] for i in sorted(range(len(values)), key=keys.__getitem__, reverse=backwards)]


def combined_hint(values: Iterable[Value], compute: Callable[[list[Value]], Any]) -> Value:
    """The hint that follows from the hints of all these; MISSING where one has none."""
    hints = [known(value) for value in values]
    if any(hint is MISSING or isinstance(hint, Tensor) or not is_flat(hint) for hint in hints):
        return MISSING
    try:
        return compute(hints)
    except Exception:
        return MISSING
