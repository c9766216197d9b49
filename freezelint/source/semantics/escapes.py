"""What becomes unknown when a model is handed to code that nobody can read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Instance, Module, Optimizer, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def escaped(machine: Machine, values: Iterable[Value], name: str) -> None:
    """Code of this name, which is not known, was given these values: flags, modes and groups may be other."""
    values = list(values)
    if not all(isinstance(value, (str, int, float, type(None))) for value in values):
        machine.recorder.misses.unclear += 1
    for value in values:
        for module in modules_in(value):
            _escape(machine, module, name)
        for optimizer in optimizers_in(value):
            optimizer.complete = False
            machine.limit(f"`{name}`", "it was handed the optimizer, and its source is not known")


def _escape(machine: Machine, module: Module, name: str) -> None:
    machine.limit(f"`{name}`", "it was handed the model, and its source is not known", machine.location())
    forget(module)


def forget(module: Module) -> None:
    """Flags, modes and origins of a model may be anything from now on."""
    from freezelint.source.semantics import open_ends

    for _, inner in module.walk():
        inner.training, inner.training_cause = None, None
        rest = [open_ends.rest_of(inner)] if inner.open else []
        for parameter in (*inner.parameters.values(), *rest):
            if parameter is not None:
                parameter.requires_grad, parameter.cause = None, None
                parameter.origin = "unknown"


def modules_in(value: Value, depth: int = 2) -> list[Module]:
    """The modules that somebody who holds the value can reach."""
    if isinstance(value, Module):
        return [value]
    return [inner for part in _parts(value, depth) for inner in modules_in(part, depth - 1)]


def optimizers_in(value: Value, depth: int = 2) -> list[Optimizer]:
    """The optimizers that somebody who holds the value can reach."""
    if isinstance(value, Optimizer):
        return [value]
    return [inner for part in _parts(value, depth) for inner in optimizers_in(part, depth - 1)]


def _parts(value: Value, depth: int) -> list[Value]:
    if depth <= 0:
        return []
    if isinstance(value, (list, tuple)):
        return list(value)[:50]
    if isinstance(value, dict):
        return list(value.values())[:50]
    return list(value.attributes.values())[:50] if isinstance(value, Instance) else []
