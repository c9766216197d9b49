"""Which parameters and modules the patterns of `freezelint.freezing` name in a model that was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezelint.freezing.globs import compiled, is_plain
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import MISSING, Module, Parameter, Unknown, Value
from freezelint.source.semantics.open_ends import rest_of

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

NO_MATCH = "NoMatchError"
_DEEPEST = 60
_MOST_PLACES = 20_000


@dataclass
class Selection:
    """What is named, by every dotted name that it has. Where it is not `clear`, there may be more."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    clear: bool = True

    def add(self, other: Selection) -> None:
        """Take in another selection."""
        self.parameters.update(other.parameters)
        self.modules.update(other.modules)
        self.clear = self.clear and other.clear

    def holds(self, parameter: Parameter) -> bool:
        """Whether the parameter is named."""
        return any(each is parameter for each in self.parameters.values())


def select(machine: Machine, model: Module, patterns: Iterable[Value]) -> Selection:
    """What the patterns name in the model, everything where there are none.

    As in the library, what names nothing raises, unless the model has parts that nobody knows.
    """
    wanted = list(patterns)
    if not wanted:
        return inside([("", model)])
    selection = Selection()
    for pattern in wanted:
        value = known(pattern)
        if isinstance(value, Module):
            selection.add(_of_object(model, value))
        elif isinstance(value, str):
            selection.add(_of_name(machine, model, value))
        elif value is MISSING:
            selection.clear = False
        else:
            raise RaisedSignal("TypeError")
    return selection


def inside(named: Iterable[tuple[str, Module]]) -> Selection:
    """All that these modules consist of; what nobody knows of them is one parameter."""
    selection = Selection()
    for prefix, module in named:
        for name, inner in places(module, prefix):
            selection.modules[name] = inner
            selection.parameters.update(_own(name, inner))
            if inner.open:
                selection.parameters[_dotted(name, "*")] = rest_of(inner)
    return selection


def places(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """Every module at all of its places, this one first, in definition order: as far as there are not more of
    these than any model has, which modules inside themselves do.
    """
    pending: list[tuple[str, Module, int]] = [(prefix, module, 0)]
    for _ in range(_MOST_PLACES):
        if not pending:
            return
        path, inner, depth = pending.pop()
        yield path, inner
        for name, child in reversed(inner.children.items()) if depth < _DEEPEST else ():
            if child is not None:
                pending.append((_dotted(path, name), child, depth + 1))


def has_statistics(module: Module) -> bool:
    """Whether a module keeps running statistics."""
    if module.norm is not None and module.norm.has_statistics:
        return True
    if module.class_name == "FrozenBatchNorm2d":
        return True
    return all(module.buffers.get(name) is not None for name in ("running_mean", "running_var"))


def own_parameters(module: Module) -> list[Parameter]:
    """The parameters that a module holds itself."""
    return [parameter for parameter in module.parameters.values() if parameter is not None]


def _own(prefix: str, module: Module) -> dict[str, Parameter]:
    return {_dotted(prefix, name): p for name, p in module.parameters.items() if p is not None}


def _dotted(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _of_object(model: Module, wanted: Module) -> Selection:
    names = [(name, module) for name, module in places(model) if module is wanted]
    if not names:
        if not model.is_open:
            raise RaisedSignal(NO_MATCH)
        names = [("*", wanted)]
    return inside(names)


def _of_name(machine: Machine, model: Module, pattern: str) -> Selection:
    if not pattern.strip("."):
        raise RaisedSignal("ValueError")
    try:
        matches = compiled(pattern).match
    except re.error:
        raise RaisedSignal("ValueError") from None
    if model.is_open and is_plain(pattern):
        _touch(machine, model, pattern)
    selection = Selection()
    for name, module in places(model):
        if name and matches(name):
            selection.modules[name] = module
            if module.open:
                selection.parameters[f"{name}.*"] = rest_of(module)
        selection.parameters.update((n, p) for n, p in _own(name, module).items() if matches(n))
    if model.is_open and not is_plain(pattern):
        selection.clear = False
    elif not selection.parameters and not any(map(has_statistics, selection.modules.values())):
        if not model.is_open:
            raise RaisedSignal(NO_MATCH)
        selection.clear = False
    return selection


def _touch(machine: Machine, model: Module, path: str) -> None:
    """What a name names in a model of which something is unknown appears."""
    value: Value = model
    for part in path.split("."):
        if not isinstance(value, Module) or not part.isidentifier():
            return
        if value.open or part in value.children:
            value = machine.get(value, part)
        if isinstance(value, (Parameter, Unknown)):
            return
