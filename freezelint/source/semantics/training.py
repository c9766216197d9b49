"""Training loops that a framework runs: what a trainer does with a model, an optimizer and the script's own
methods."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import (
    Class,
    Function,
    Instance,
    Method,
    Module,
    Optimizer,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics.tensors import backward

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def epochs(machine: Machine) -> Iterator[Value]:
    """The epochs of a framework's loop: the first two, and two that stand for all later ones."""
    from freezelint.source.interpreter.iteration import Loop

    loop = Loop(ast.Pass(), machine.recorder.steps_done, machine.conditional)
    machine.loops.append(loop)
    try:
        yield from (0, 1)
        for loop.late in (1, 2):
            yield Unknown("epoch", late=True)
    finally:
        machine.loops.remove(loop)


def hook(machine: Machine, owner: Value, name: str, *args: Value, **kwargs: Value) -> Value:
    """Call a method if the script defines it; None where it does not."""
    cls = getattr(owner, "cls", None)
    if not isinstance(cls, Class):
        return None
    found = cls.find(name)
    if found is None or not isinstance(found[0], Function):
        return None
    return machine.call(Method(found[0], owner), *args, **kwargs)


def defines(owner: Value, name: str) -> bool:
    """Whether the script's class defines the method."""
    cls = getattr(owner, "cls", None)
    return isinstance(cls, Class) and cls.find(name) is not None


def clear(optimizer: Optimizer) -> None:
    """`optimizer.zero_grad()` as frameworks call it: gradients are None."""
    for group in optimizer.groups:
        members = group.get("params")
        for parameter in members if isinstance(members, list) else ():
            if isinstance(parameter, Tensor):
                parameter.gradient = "none"


def one_step(machine: Machine, optimizers: list[Optimizer], loss: Callable[[], Value]) -> None:
    """Forward, backward and step."""
    for optimizer in optimizers:
        clear(optimizer)
    value = loss()
    if isinstance(value, dict):
        value = value.get("loss", Unknown("loss"))
    if value is not None:
        backward(machine, value)
    for optimizer in optimizers:
        machine.recorder.step(optimizer)


def into_train(machine: Machine, model: Module, library: str) -> None:
    """A trainer of this library calls `model.train()`."""
    machine.recorder.calling = library
    try:
        machine.call(machine.get(model, "train"))
    finally:
        machine.recorder.calling = ""


def optimizers_in(value: Value) -> list[Optimizer]:
    """The optimizers among what `configure_optimizers` returns."""
    if isinstance(value, Optimizer):
        return [value]
    if isinstance(value, dict):
        return optimizers_in(value.get("optimizer"))
    if isinstance(value, (list, tuple)):
        first = value[0] if value else None
        if len(value) == 2 and isinstance(first, (list, tuple)):
            return optimizers_in(first)
        return [one for part in value for one in optimizers_in(part)]
    return []


def callbacks_in(value: Value) -> list[Instance]:
    """The callbacks of the script's own classes among these."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in values if isinstance(one, Instance) and one.cls is not None]
