"""Containers of torch.nn, and the wrappers that hold a model inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from freezelint.source.interpreter import iteration
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Items, Module, Parameter, Tensor, Unknown, Value
from freezelint.source.semantics import modules, open_ends
from freezelint.source.semantics.building import MOST_LAYERS
from freezelint.source.vocabulary import builds, function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "torch.nn.parallel.data_parallel.": "torch.nn.parallel.",
    "torch.nn.parallel.distributed.": "torch.nn.parallel.",
    "torch.nn.DataParallel": "torch.nn.parallel.DataParallel",
    "torch.jit.trace_module": "torch.jit.trace",
}
_BY_NUMBER = frozenset({"Sequential", "ModuleList", "ParameterList"})


def _hold(machine: Machine, module: Module, name: str, value: Value) -> None:
    """Put a part in place while the container is being made."""
    if isinstance(value, Module):
        module.children[name] = value
    elif isinstance(value, Parameter):
        module.parameters[name] = value
    elif isinstance(value, Tensor) and "ParameterList" in {module.class_name, *module.bases}:
        module.parameters[name] = Parameter(built=machine.location(), dims=value.shape or ())
    elif isinstance(value, Unknown):
        module.children[name] = open_ends.open_module(module, "Module")
    elif value is None:
        module.children[name] = None


@builds("torch.nn.Sequential")
def sequential(machine: Machine, module: Module, call: Call) -> None:
    """Layers by position, or by the names of a dict."""
    if not call.complete:
        module.open = True
    if len(call.args) == 1 and isinstance(known(call.args[0]), dict):
        for name, value in list(known(call.args[0]).items())[:MOST_LAYERS]:
            _hold(machine, module, name if isinstance(name, str) else text_of(name), value)
        module.open = module.open or machine.parts.may_hold_more(call.args[0])
        return
    if len(call.args) == 1 and isinstance(call.args[0], Unknown):  # an OrderedDict, or one layer
        module.open = True
    for position, value in enumerate(call.args[:MOST_LAYERS]):
        if not (module.open and isinstance(value, Unknown)):
            _hold(machine, module, str(position), value)


@builds("torch.nn.ModuleList", "torch.nn.ParameterList")
def module_list(machine: Machine, module: Module, call: Call) -> None:
    """Parts of an iterable, numbered."""
    given = call.get(0, "modules" if "modules" in call.kwargs else "values", None)
    if given is None:
        return
    values = machine.elements(given, call.name.rpartition(".")[2])
    if values is None or not iteration.is_measured(machine, given):
        module.open = True
    for position, value in enumerate((values or [])[:MOST_LAYERS]):
        _hold(machine, module, str(position), value)


@builds("torch.nn.ModuleDict", "torch.nn.ParameterDict")
def module_dict(machine: Machine, module: Module, call: Call) -> None:
    """Parts by name."""
    given = call.get(0, "modules" if "modules" in call.kwargs else "parameters", None)
    if given is not None and (
        not _update(machine, module, given) or not iteration.is_measured(machine, given)
    ):
        module.open = True


def _update(machine: Machine, module: Module, given: Value, *, late: bool = False) -> bool:
    """Put the parts of a dict, a module dict or of pairs in place; False where they are not known."""
    pairs = _pairs(machine, given)
    for name, value in (pairs or [])[:MOST_LAYERS]:
        if not isinstance(name, str):
            return False
        if late:
            modules.write(machine, module, name, value)
        else:
            _hold(machine, module, name, value)
    return pairs is not None


def _pairs(machine: Machine, given: Value) -> list[tuple[Value, Value]] | None:
    given = known(given)
    if isinstance(given, dict):
        return list(given.items())
    if isinstance(given, Module):
        return None if given.open else [*given.children.items(), *given.parameters.items()]
    rows = machine.elements(given, "a module dict")
    if rows is None or not all(isinstance(row, (list, tuple)) and len(row) == 2 for row in rows):
        return None
    return [(row[0], row[1]) for row in rows]


# -- changing containers ---------------------------------------------------------------------------


def _length(module: Module) -> int:
    return len(module.children) + len(module.parameters)


@method(Module, "__len__")
def length(machine: Machine, module: Module, call: Call) -> Value:
    """The number of parts."""
    return Unknown(f"len({module.name or module.class_name})") if module.open else _length(module)


@method(Module, "append")
def append(machine: Machine, module: Module, call: Call) -> Value:
    """One more part at the end."""
    _add(machine, module, call.get(0, "module", Unknown("module")))
    return module


def _add(machine: Machine, module: Module, value: Value) -> None:
    machine.parts.added(module)
    module.open = module.open or machine.parts.may_hold_more(module)
    if _length(module) >= MOST_LAYERS:
        module.open = True
    elif isinstance(value, Unknown):
        modules.write(machine, module, str(_length(module)), open_ends.open_module(module, "Module"))
    else:
        modules.write(machine, module, str(_length(module)), value)


@method(Module, "extend")
def extend(machine: Machine, module: Module, call: Call) -> Value:
    """More parts at the end."""
    given = call.get(0, "modules", None)
    values = machine.elements(given, "extend")
    if values is None or not iteration.is_measured(machine, given):
        module.open = True
    for value in (values or [])[:MOST_LAYERS]:
        _add(machine, module, value)
    return module


@method(Module, "insert")
def insert(machine: Machine, module: Module, call: Call) -> Value:
    """One more part in between: those behind it get other numbers."""
    position, value = known(call.get(0, "index", None)), call.get(1, "module", None)
    if not isinstance(position, int) or not isinstance(value, Module):
        module.open = True
        return module
    machine.parts.added(module)
    module.open = module.open or machine.parts.may_hold_more(module)
    parts = list(module.children.values())
    place = max(0, position + len(parts)) if position < 0 else min(position, len(parts))
    modules.write(machine, module, str(len(parts)), value)
    parts.insert(place, value)
    module.children = {str(number): part for number, part in enumerate(parts)}
    return module


@method(Module, "pop")
def pop(machine: Machine, module: Module, call: Call) -> Value:
    """A part is taken out."""
    names = list(module.children)
    key = known(call.get(0, "key", -1))
    if isinstance(key, int) and -len(names) <= key < len(names):
        key = names[key]
    if not isinstance(key, str) or key not in module.children:
        return Unknown(f"{module.class_name}.pop(…)")
    modules.displace(machine, module.children.get(key))
    taken = module.children.pop(key)
    if _BY_NUMBER & module.bases:
        module.children = {str(number): part for number, part in enumerate(module.children.values())}
    return taken


@method(Module, "update")
def update(machine: Machine, module: Module, call: Call) -> Value:
    """The parts of another dict."""
    if not _update(machine, module, call.get(0, "modules", None), late=True):
        module.open = True
    return None


@method(Module, "clear")
def clear(machine: Machine, module: Module, call: Call) -> Value:
    """Everything is taken out."""
    if module.bases & (_BY_NUMBER | {"ModuleDict", "ParameterDict"}):
        module.children.clear()
        module.parameters.clear()
    return None


@method(Module, "keys", "values", "items")
def views(machine: Machine, module: Module, call: Call) -> Value:
    """The names and the parts of a dict of modules or parameters."""
    parts: dict[str, Value] = {**module.children, **module.parameters}

    def rows() -> Iterator[Value]:
        for name, part in parts.items():
            yield {"keys": name, "values": part}.get(call.name, (name, part))
        if module.open:
            rest = open_ends.rest_module(module)
            yield {"keys": Unknown("name"), "values": rest}.get(call.name, (Unknown("name"), rest))

    return Items(rows(), of_parameters=bool(module.parameters), made=machine.location(), name=call.name)


# -- wrappers --------------------------------------------------------------------------------------


@builds("torch.nn.parallel.DataParallel", "torch.nn.parallel.DistributedDataParallel")
def data_parallel(machine: Machine, module: Module, call: Call) -> None:
    """A model that runs on several devices."""
    inner = call.get(0, "module", None)
    if isinstance(inner, Module):
        module.children["module"] = module.wraps = inner
    else:
        module.open = True


@function("torch.jit.trace", "torch.jit.optimize_for_inference")
def compiled(machine: Machine, call: Call) -> Value:
    """The same model in another form; without a model a decorator."""
    for name in ("model", "obj", "func", "mod"):
        value = call.get(0, name, None)
        if value is not None:
            return value
    return Unknown(call.name)
