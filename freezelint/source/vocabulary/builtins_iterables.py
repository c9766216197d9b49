"""Python's functions on iterables: `range`, `enumerate`, `zip`, `map`, `filter`, `sorted` and their kind.

What Python makes lazily is made lazily here, too: a spent iterator gives nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import conditions, iteration, operators
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import (
    Endless,
    combined_hint,
    element_at,
    elements,
    in_order,
    is_plain,
    keys_of,
    lazily,
    made,
    size,
)
from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Function,
    Instance,
    Items,
    Module,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@function("builtins.range")
def range_(machine: Machine, call: Call) -> Value:
    """A range of known bounds, hints included; a loop of unknown length otherwise."""
    text = f"range({', '.join(text_of(argument) for argument in call.args)})"
    bounds = [known(argument) for argument in call.args]
    if bounds and all(isinstance(bound, int) for bound in bounds):
        try:
            found = range(*bounds)
        except (TypeError, ValueError):
            return Unknown(text)
        # A loop that the defaults of options make empty is meant to run all the same.
        if found or not any(isinstance(argument, Unknown) for argument in call.args):
            return found
    start = call.args[0] if len(call.args) > 1 else 0
    step = call.args[2] if len(call.args) > 2 else 1

    def element(position: Value) -> Value:
        if isinstance(position, Unknown):
            return position
        return operators.binary(
            machine, ast.Add(), start, operators.binary(machine, ast.Mult(), position, step)
        )

    return Repeat(element, counts=True, text=text)


@function("builtins.enumerate")
def enumerate_(machine: Machine, call: Call) -> Value:
    """Pairs of position and element."""
    source, start = call.get(0, "iterable", None), call.get(1, "start", 0)
    found = lazily(machine, source, "enumerate(…)")

    def numbered(position: Value) -> Value:
        if start == 0 and isinstance(start, int):
            return position
        return operators.binary(machine, ast.Add(), start, position)

    if found is None:
        return Repeat(
            lambda position: (numbered(position), element_at(machine, source, position)),
            counts=True,
            text=f"enumerate({text_of(source)})",
        )
    return made(machine, ((numbered(i), value) for i, value in enumerate(found)), "enumerate(…)", source)


@function("builtins.zip")
def zip_(machine: Machine, call: Call) -> Value:
    """Tuples, as long as the shortest of the iterables whose length is known."""
    sources = list(call.args)
    iterators = [lazily(machine, source, "zip(…)") for source in sources]
    if not call.complete:
        return Unknown("zip(…)")
    if sources and all(iterator is None for iterator in iterators):
        return Repeat(
            lambda position: tuple(element_at(machine, source, position) for source in sources),
            counts=any(isinstance(source, Repeat) and source.counts for source in sources),
            text="zip",
        )
    return made(machine, _zipped(machine, sources, iterators), "zip(…)", *sources)


def _zipped(
    machine: Machine, sources: list[Value], iterators: list[Iterator[Value] | None]
) -> Iterator[Value]:
    for position in count() if sources else ():
        row: list[Value] = []
        for source, iterator in zip(sources, iterators, strict=True):
            value = element_at(machine, source, position) if iterator is None else next(iterator, MISSING)
            if value is MISSING:
                return
            row.append(value)
        yield operators.paid(machine, tuple(row))


@function("builtins.map")
def map_(machine: Machine, call: Call) -> Value:
    """The function runs when the elements are asked for."""
    if not call.args:
        return Unknown("map(…)")
    applied, sources = call.args[0], call.args[1:]
    iterators = [lazily(machine, source, "map(…)") for source in sources]
    if all(iterator is None for iterator in iterators):
        return Repeat(
            lambda position: machine.call(
                applied, *(element_at(machine, source, position) for source in sources)
            ),
            text=f"map({', '.join(text_of(argument) for argument in call.args)})",
        )
    rows = _zipped(machine, sources, iterators)
    return made(machine, (machine.call(applied, *row) for row in rows), "map(…)", *sources)


@function("builtins.filter", "itertools.filterfalse")
def filter_(machine: Machine, call: Call) -> Value:
    """Asks for each element when it is needed."""
    predicate, source = call.get(0, "function", None), call.get(1, "iterable", None)
    found = lazily(machine, source, "filter(…)")
    if found is None and text_of(source).endswith("parameters()"):
        # Whatever the model is: an iterator, that ends.
        unknown = iter([Unknown(f"{text_of(source)}[…]")])
        return Items(unknown, of_parameters=True, made=machine.location(), name="filter(…)", more=[True])
    if found is None:
        return Unknown(f"filter({text_of(predicate)}, {text_of(source)})")
    wanted = call.name != "itertools.filterfalse"
    chosen = (value for value in found if accepts(machine, predicate, value) is wanted)
    return made(machine, chosen, "filter(…)", source)


def accepts(machine: Machine, predicate: Value, value: Value) -> bool:
    """Whether a predicate holds for a value; where nobody knows a decision is taken."""
    verdict = value if predicate is None else machine.call(predicate, value)
    test = machine.frame.node
    if isinstance(predicate, Function) and isinstance(predicate.node, ast.Lambda):
        test = predicate.node.body
    return conditions.accepts(machine, verdict, test)


@function("builtins.iter")
def iter_(machine: Machine, call: Call) -> Value:
    """An iterator over known elements; what has unknown ones stays what it is."""
    if len(call.args) != 1:
        return Unknown("iter(…)")
    value = call.args[0]
    if isinstance(value, (Items, Repeat, Unknown)):
        return value
    found = lazily(machine, value, "iter(…)")
    return value if found is None else made(machine, found, "iter(…)", value)


@function("builtins.next", "builtins.anext")
def next_(machine: Machine, call: Call) -> Value:
    """One element."""
    value, default = call.get(0, "iterator", None), call.get(1, "default", MISSING)
    if isinstance(value, Endless):
        value.position += 1
        return value.element(value.position - 1)
    if isinstance(value, (Repeat, Tensor)):
        return element_at(machine, value, Unknown("next"))
    if not isinstance(value, Items):
        own = machine.get(value, "__next__") if isinstance(value, Instance) else None
        return (
            Unknown(f"next({text_of(value)})")
            if own is None or isinstance(own, Unknown)
            else machine.call(own)
        )
    try:
        found = next(value.source, MISSING)
    except (ValueError, RuntimeError):  # an iterator that its own function asks for elements
        return Unknown("next(…)")
    value.yielded = True
    if found is not MISSING:
        return found
    value.exhausted = value.exhausted or machine.location()
    if default is MISSING and any(
        {"StopIteration", "Exception"} & set(names) for names in machine.frame.handled
    ):
        raise RaisedSignal("StopIteration")
    return Unknown("next(…)") if default is MISSING else default


@function("builtins.reversed")
def reversed_(machine: Machine, call: Call) -> Value:
    """Backwards, of what is known."""
    value = call.get(0, "sequence", None)
    if isinstance(known(value), range):
        return known(value)[::-1]
    found = elements(machine, value, "reversed(…)")
    if found is None or isinstance(value, Items):
        return Unknown(f"reversed({text_of(value)})")
    return made(machine, iter(found[::-1]), "reversed(…)", value)


@function("builtins.sorted")
def sorted_(machine: Machine, call: Call) -> Value:
    """In order, where the keys are known."""
    value = call.get(0, "iterable", None)
    text = f"sorted({text_of(value)})"
    found = elements(machine, value, "sorted(…)")
    backwards = machine.truth(known(call.kwargs.get("reverse", False)))
    if found is None or backwards is None:
        return Unknown(text)
    keys = keys_of(machine, found, call.kwargs.get("key"))
    hint = combined_hint(keys, lambda plain: in_order(found, plain, backwards))
    if hint is MISSING:
        return found if len(found) < 2 else Unknown(text)
    return Unknown(text, hint) if any(isinstance(key, Unknown) for key in keys) else hint


@function("builtins.min", "builtins.max")
def extreme(machine: Machine, call: Call) -> Value:
    """The smallest or largest of known values."""
    largest = call.name.endswith("max")
    name = "max" if largest else "min"
    values = call.args if len(call.args) != 1 else elements(machine, call.args[0], f"{name}(…)")
    text = f"{name}({', '.join(text_of(argument) for argument in call.args[:3])})"
    if values is None or not call.complete:
        return (
            machine.derived(*call.args)
            if any(isinstance(one, Tensor) for one in call.args)
            else Unknown(text)
        )
    if not values:
        return call.kwargs.get("default", Unknown(text))
    keys = keys_of(machine, list(values), call.kwargs.get("key"))
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors and "key" not in call.kwargs:
        return machine.derived(*tensors)
    places = range(len(values))
    pick = max if largest else min
    place = combined_hint(keys, lambda plain: pick(places, key=plain.__getitem__))
    if place is MISSING:
        return values[0] if len(values) == 1 else Unknown(text)
    chosen = values[place]
    return Unknown(text, known(chosen)) if any(isinstance(key, Unknown) for key in keys) else chosen


@function("builtins.sum", "math.fsum")
def sum_(machine: Machine, call: Call) -> Value:
    """The sum of numbers, of tensors, of lists."""
    value, total = call.get(0, "iterable", None), call.get(1, "start", 0)
    text = f"sum({text_of(value)})"
    found = elements(machine, value, "sum(…)")
    if found is None:
        one = value if isinstance(value, Tensor) else element_at(machine, value, 0)
        return machine.derived(one) if isinstance(one, Tensor) else Unknown(text)
    tensors = [part for part in found if isinstance(part, Tensor)]
    if tensors:
        return machine.derived(total, *tensors)
    for part in found:
        machine.tick()
        total = operators.binary(machine, ast.Add(), total, part)
        if isinstance(total, Unknown) and total.hint is MISSING:
            return Unknown(text)
    return Unknown(text, total.hint) if isinstance(total, Unknown) else total


@function("builtins.any", "builtins.all")
def any_or_all(machine: Machine, call: Call) -> Value:
    """Stops at the element that decides; three-valued."""
    deciding = call.name.endswith("any")
    name = "any" if deciding else "all"
    value = call.get(0, "iterable", None)
    found = lazily(machine, value, f"{name}(…)")
    if found is None:
        return Unknown(f"{name}({text_of(value)})")
    open_: list[Value] = []
    for element in found:
        truth = machine.truth(element)
        if truth is deciding:
            return deciding
        if truth is None:
            open_.append(element)
    if not open_:
        return not deciding
    test: Any = any if deciding else all
    text = (" or " if deciding else " and ").join(text_of(element) for element in open_[:3])
    return Unknown(text, combined_hint(open_, lambda hints: test(hints) if is_plain(hints) else MISSING))


@function("builtins.len")
def len_(machine: Machine, call: Call) -> Value:
    """How many elements there are, where that is known."""
    value = call.get(0, "obj", None)
    text = f"len({text_of(value)})"
    count_ = size(known(value))
    if machine.parts.may_hold_more(value):
        return Unknown(text)
    if count_ is not None:
        return Unknown(text, count_) if isinstance(value, Unknown) else count_
    own = machine.get(value, "__len__") if isinstance(value, (Instance, Module)) else None
    if own is not None and not isinstance(own, Unknown):
        return machine.call(own)
    if isinstance(value, Module) and iteration.is_iterable_module(value) and not value.open:
        return len(value.children) + len(value.parameters)
    return Unknown(text)
