"""Loops. What has known elements is run through; a loop whose length nobody knows, or that trains, is
run a few times: twice as it begins, and for counters twice more with a counter that stands for all
later values.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import conditions
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import (
    Class,
    Instance,
    Items,
    Method,
    Module,
    Optimizer,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import tensors

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Modules that count as empty without children, and that can be run through.
COUNTED = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_PLAIN_ITERABLES: tuple[Any, ...] = (list, tuple, dict, set, frozenset, range, deque, *_VIEWS)
_PLAIN_SEQUENCES: tuple[Any, ...] = (str, bytes, *_PLAIN_ITERABLES)
_EARLY = 2
_MOST_UNFOLDING = 20
_MOST_PASSES = 2000
# Of a list that is run through with training steps inside (folds, seeds) this many elements.
_MOST_TRAINED = 6
_MOST_NUMBERS = 2
_MOST_TURNS = 200


@dataclass
class Loop:
    """A loop that is running: its node, the optimizer steps done when it began, and how many conditions
    of unknown outcome stand around it.
    """

    node: ast.AST
    steps: int
    conditional: int
    late: int = 0


@dataclass(eq=False)
class Repeat:
    """Something of unknown length: `element(i)` gives the element at a position, which may be unknown itself.

    `counts` is True where the element tells the position (`range`, `enumerate`).
    """

    element: Callable[[Value], Value]
    counts: bool = False
    text: str = "range"


def is_iterable_module(module: Module) -> bool:
    """Whether a `for` over the module gives its children."""
    return bool(COUNTED & {module.class_name, *module.bases})


def is_iterable(machine: Machine, value: Value) -> bool:
    """Whether an object of the script has elements of its own."""
    return isinstance(value, Instance) and machine.has(value, "__iter__") is True


def iterate(machine: Machine, value: Value, consumer: str) -> Iterator[Value]:
    """The elements of anything iterable; two unknown ones where nobody knows."""
    if isinstance(value, Unknown) and value.choices and not value.hint:
        # Empty unless somebody gives words: a run of its own, with the first that there is.
        if conditions.is_given(machine, value):
            yield Unknown(f"{value.text}[0]", value.choices[0])
        return
    if isinstance(value, Unknown) and isinstance(value.hint, _PLAIN_ITERABLES):
        value = value.hint
    if isinstance(value, Items):
        yield from _consume(machine, value, consumer)
    elif isinstance(value, dict):
        yield from list(value)
    elif isinstance(value, range):
        yield from islice(value, _MOST_PASSES)
    elif isinstance(value, _PLAIN_SEQUENCES):
        yield from list(value)
    elif isinstance(value, Module):
        yield from _children(machine, value, consumer)
    elif isinstance(value, Repeat):
        yield from _some(machine, (value.element(position) for position in range(_EARLY)))
    elif isinstance(value, Tensor) and not isinstance(value, Parameter):
        yield from _some(machine, (machine.derived(value) for _ in range(_EARLY)))
    elif isinstance(value, Class) and isinstance(value.namespace.get("__members__"), dict):
        yield from list(value.namespace["__members__"].values())
    elif isinstance(value, Class):
        return
    else:
        yield from _defined(machine, value, consumer)


def _consume(machine: Machine, value: Items, consumer: str) -> Iterator[Value]:
    if value.exhausted is not None and value.of_parameters:
        machine.recorder.iterator_exhausted(value, consumer)
        return
    if getattr(value.source, "gi_running", False):
        return  # its own function asks it for elements
    for element in value.source:
        machine.tick()
        value.yielded = True
        value.of_parameters = value.of_parameters or isinstance(element, (Parameter, Module))
        yield element
    if value.exhausted is None:
        value.exhausted, value.consumer = machine.location(), consumer


def _children(machine: Machine, module: Module, consumer: str) -> Iterator[Value]:
    if module.cls is not None and module.cls.find("__iter__"):
        yield from machine.iterate(machine.call(machine.get(module, "__iter__")), consumer)
    elif "ModuleDict" in {module.class_name, *module.bases} or "ParameterDict" in module.bases:
        yield from list(module.children)
    else:
        yield from [child for child in module.children.values() if child is not None]
        yield from [
            parameter for parameter in module.parameters.values() if is_iterable_module(module) and parameter
        ]
        if module.open:
            yield Unknown(f"{text_of(module)}[…]")


def _defined(machine: Machine, value: Value, consumer: str) -> Iterator[Value]:
    iterable = isinstance(value, (Instance, Method)) and machine.has(value, "__iter__") is True
    if iterable and machine.unfolding < _MOST_UNFOLDING:  # it may say that it is to be iterated as itself
        machine.unfolding += 1
        try:
            made = machine.call(machine.get(value, "__iter__"))
            if made is not value:
                yield from machine.iterate(made, consumer)
                return
        finally:
            machine.unfolding -= 1
    if value is None or isinstance(value, (int, float, Optimizer)):
        return
    unseen = (tensors.unseen(f"{text_of(value)}[{position}]", value) for position in range(_EARLY))
    yield from _some(machine, unseen)


def _some(machine: Machine, values: Iterator[Value], *, usual: bool = False) -> Iterator[Value]:
    """Some elements of what may have more; `usual` are all that there usually are."""
    machine.inexact += 1
    machine.unmeasured += not usual
    try:
        yield from values
    finally:
        machine.inexact -= 1
        machine.unmeasured -= not usual


def is_measured(machine: Machine, value: Value) -> bool:
    """Whether the number of elements is known, or what it usually is."""
    if isinstance(value, Unknown):
        return isinstance(value.hint, _PLAIN_ITERABLES) and not machine.parts.may_hold_more(value.hint)
    if isinstance(value, Items):
        return not value.more
    if isinstance(value, Module):
        return not value.open
    return not isinstance(value, (Repeat, Tensor)) and not machine.parts.may_hold_more(value)


def unrolled(machine: Machine, value: Value, consumer: str) -> Iterator[Value]:
    """The elements for a comprehension."""
    return machine.iterate(value, consumer)


def passes(machine: Machine, iterable: Value, node: ast.For | ast.AsyncFor) -> Iterator[Value]:
    """The values of the loop variable of a `for`, one a pass."""
    loop = Loop(node, machine.recorder.steps_done, machine.conditional)
    machine.loops.append(loop)
    try:
        if isinstance(iterable, range):
            yield from _counted(machine, loop, iterable)
        elif isinstance(iterable, Repeat):
            yield from _some(machine, _repeated(machine, loop, iterable, node))
        elif isinstance(iterable, Unknown) and isinstance(iterable.hint, range):
            yield from _some(machine, _counted(machine, loop, iterable.hint), usual=True)
        elif isinstance(iterable, (Unknown, Tensor)):
            yield from machine.iterate(iterable)
        else:
            yield from _bounded(machine, loop, iterable)
    finally:
        machine.loops.remove(loop)


def _counted(machine: Machine, loop: Loop, values: range) -> Iterator[Value]:
    """A known range: run through, unless it trains."""
    for position, value in enumerate(values):
        if position >= _EARLY and machine.recorder.steps_done > loop.steps:
            yield from _late(loop, lambda count: count, _variable(loop.node))
            return
        if position >= _MOST_PASSES:
            machine.limit("a loop", "it has too many passes to follow", machine.location())
            return
        yield value


def _repeated(machine: Machine, loop: Loop, values: Repeat, node: ast.AST) -> Iterator[Value]:
    for position in range(_EARLY):
        yield values.element(position)
    if values.counts:
        yield from _late(loop, values.element, _variable(node) or values.text)


def _late(loop: Loop, element: Callable[[Value], Value], name: str) -> Iterator[Value]:
    for loop.late in (1, 2):
        counter = Unknown(name, late=True)
        yield element(counter)


def _variable(node: ast.AST) -> str:
    target = getattr(node, "target", None)
    if isinstance(target, ast.Tuple) and target.elts:
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else ""


def _bounded(machine: Machine, loop: Loop, iterable: Value) -> Iterator[Value]:
    for position, value in enumerate(machine.iterate(iterable)):
        most = _MOST_NUMBERS if isinstance(value, (int, float)) else _MOST_TRAINED
        if position >= most and machine.recorder.steps_done > loop.steps:
            return
        if position >= _MOST_PASSES:
            machine.limit("a loop", "it has too many passes to follow", machine.location())
            return
        yield value


def turns(machine: Machine, node: ast.While) -> Iterator[None]:
    """The turns of a `while`: as many as its condition says where that is known, a few otherwise."""
    loop = Loop(node, machine.recorder.steps_done, machine.conditional)
    machine.loops.append(loop)
    try:
        for turn in range(_MOST_TURNS):
            if turn >= _EARLY + 1 and machine.recorder.steps_done > loop.steps:
                return
            value = machine.evaluate(node.test)
            truth = machine.truth(value)
            if truth is False or (truth is None and turn >= _EARLY):
                return
            machine.frame.node = node
            yield from (None,) if truth else _some(machine, iter((None,)))
    finally:
        machine.loops.remove(loop)
