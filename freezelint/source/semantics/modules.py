"""Modules as a script changes them: attributes written, children put in place, open ends touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.checks.freezes.misspelt_requires_grad import is_misspelling
from freezelint.evidence import Role
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Module,
    NormSettings,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording.snapshot import held_by
from freezelint.source.semantics.open_ends import makes_module, rest_of, unknown_child
from freezelint.source.semantics.torch_classes import bases_of

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_DROPPING = ("Dropout", "DropPath", "StochasticDepth")
_NORMALISING = ("LayerNorm", "GroupNorm", "RMSNorm")
_ADDED = "*added"
_DISPLACED = "*displaced"


# -- what a module is ------------------------------------------------------------------------------


def constructed(machine: Machine, module: Module) -> None:
    """A constructor of the module has run: that of a library's class, or that of the script's."""
    names = (
        [module.class_name]
        if module.cls is None
        else [one.name.rpartition(".")[2] for one in module.cls.libraries()]
    )
    module.bases = module.bases.union(*(bases_of(name) for name in names))
    settle(module)
    for name, parameter in module.parameters.items():
        if parameter is not None:
            parameter.built = parameter.built or module.built or machine.location()
            parameter.text = parameter.text or name
    machine.parts.made(module)
    made = machine.recorder.made
    if not made or made[-1] is not module:
        made.append(module)


def settle(module: Module) -> None:
    """Work out the role from the class and from what the module holds now."""
    module.role = role_of(module)
    if module.role == "norm" and module.norm is None and "_NormBase" not in module.bases:
        module.norm = NormSettings(False, False, None, affine=bool(module.parameters))
    elif module.norm is not None and not module.norm.has_statistics and "_NormBase" not in module.bases:
        module.norm.affine = bool(module.parameters)
    if module.role == "dropout" and module.dropout is None:
        rate = known(module.attributes.get("p", module.attributes.get("drop_prob", MISSING)))
        module.dropout = (
            float(rate) if isinstance(rate, (int, float)) and not isinstance(rate, bool) else None
        )


def role_of(module: Module) -> Role:
    """What the module is for our purposes."""
    name, bases = module.class_name, module.bases
    if "_NormBase" in bases or any(word in name for word in _NORMALISING):
        return "norm"
    if "_DropoutNd" in bases or any(word in name for word in _DROPPING):
        return "dropout"
    if {"Embedding", "EmbeddingBag"} & {*bases, name if module.library == "torch" else ""}:
        return "embedding"
    if module.open or (module.children and not any(module.parameters.values())):
        return "container"
    return "plain"


# -- parameters and modules, unknown ones included -------------------------------------------------


def parameters_below(module: Module) -> list[Parameter]:
    """Every parameter, each once; an open module has one more that stands for those nobody knows."""
    found = [parameter for _, parameter in module.own_and_below()]
    found += [rest_of(inner) for _, inner in module.walk() if inner.open]
    return found


def trainable_below(module: Module) -> list[Parameter]:
    """The parameters that require grad, or may."""
    return [parameter for parameter in parameters_below(module) if parameter.requires_grad is not False]


def wholly_frozen(module: Module) -> bool | None:
    """Whether every parameter is frozen; False where there is none."""
    flags = [parameter.requires_grad for parameter in parameters_below(module)]
    if not flags or any(flags):
        return False
    return None if None in flags or module.is_open else True


# -- writing ---------------------------------------------------------------------------------------


def write(machine: Machine, module: Module, name: str, value: Value) -> None:
    """`module.name = value`, as `nn.Module.__setattr__` does it."""
    if isinstance(value, Unknown) and (module.children.get(name) is not None or makes_module(name, value)):
        value = value.hint if isinstance(value.hint, Module) else unknown_child(module, value)
    if isinstance(value, Parameter):
        _put_parameter(machine, module, name, value)
    elif isinstance(value, Module):
        put_child(machine, module, name, value)
    elif value is None and (name in module.children or name in module.parameters):
        keep_places(machine, module.children.get(name) or module)
        displace(machine, module.children.get(name))
        table: dict[str, Value] = module.children if name in module.children else module.parameters
        table[name] = None
    elif name == "training":
        module.training, module.training_cause = machine.truth(value), None
    elif name in module.buffers and (value is None or isinstance(value, Tensor)):
        module.buffers[name] = value
    else:
        module.attributes[name] = value
        _note_setting(machine, module, name, value)
    if name == "running_mean" and value is None and module.norm is not None:
        # Test-time adaptation: there are no statistics left to hold still.
        module.norm.has_statistics = False
    settle(module)


def put_child(machine: Machine, module: Module, name: str, child: Module) -> None:
    """Put a child in place; an event, unless the module is just being constructed."""
    existed = module.children.get(name) is not None or module.parameters.get(name) is not None
    if existed:
        keep_places(machine, module.children.get(name) or module)
        displace(machine, module.children.get(name))
    if name not in module.children:
        module.attributes.setdefault(_ADDED, set()).add(name)
    module.children[name] = child
    module.parameters.pop(name, None)
    module.attributes.pop(name, None)
    if is_constructing(machine, module):
        return
    index = machine.recorder.event(
        "replaced",
        modules=[child],
        parameters=[parameter for _, parameter in child.own_and_below()],
        name=name,
        value="exchanged" if existed else "added",
    )
    child.assigned = index if index >= 0 else child.assigned


def keep_places(machine: Machine, module: Module) -> None:
    """What is about to be exchanged may live on in an optimizer: where it was is written down before."""
    recorder = machine.recorder
    if recorder.optimizers:
        unplaced = {id(p) for _, p in module.own_and_below()} - set(recorder.stock.paths)
        if any(id(p) in unplaced for optimizer in recorder.optimizers for p in held_by(optimizer)):
            recorder.stock.take()


def displace(machine: Machine, child: Module | None) -> None:
    """The child leaves its place: it is no model of its own, unless it runs (`returned`)."""
    if child is None:
        return
    gone = {id(inner): inner for _, inner in child.walk()}
    recorder = machine.recorder
    recorder.made = [module for module in recorder.made if id(module) not in gone]
    for inner in gone.values():
        set_apart(inner)


def set_apart(module: Module) -> None:
    """The module is made of parts of another one: it is no model of its own, unless it runs (`returned`)."""
    module.attributes[_DISPLACED] = True


def returned(machine: Machine, module: Module) -> None:
    """A module runs on its own: should it have left another one before, it is a model now."""
    if module.attributes.pop(_DISPLACED, False):
        machine.recorder.made.append(module)


def added_to(module: Module) -> frozenset[str]:
    """The children that the script has put under names that the module did not have."""
    return frozenset(module.attributes.get(_ADDED, ()))


def _put_parameter(machine: Machine, module: Module, name: str, parameter: Parameter) -> None:
    existed = module.parameters.get(name) is not None
    if existed:
        keep_places(machine, module)
    module.parameters[name] = parameter
    module.children.pop(name, None)
    module.attributes.pop(name, None)
    parameter.built = parameter.built or machine.location()
    parameter.text = parameter.text or name
    if existed and not is_constructing(machine, module):
        machine.recorder.event("replaced", parameters=[parameter], name=name, value="exchanged")


def is_constructing(machine: Machine, module: Module) -> bool:
    """Whether the module's own `__init__` is running."""
    return any(frame.name == "__init__" and frame.receiver is module for frame in machine.frames)


def _note_setting(machine: Machine, module: Module, name: str, value: Value) -> None:
    """A plain attribute that looks like a freeze, or changes how a norm layer works."""
    if name in ("requires_grad", "requires_grad_") or is_misspelling(name):
        _no_effect(machine, module, name, value)
    elif (
        module.norm is not None
        and "_NormBase" in module.bases
        and name in ("momentum", "track_running_stats")
    ):
        index = machine.recorder.event("norm-set", modules=[module], key=name, name=name, value=_shown(value))
        module.norm.set_by = index if index >= 0 else None
        _set_norm(machine, module.norm, name, value)


def _no_effect(machine: Machine, module: Module, name: str, value: Value) -> None:
    own = module.cls is not None and module.cls.find(name) is not None
    if (own and name != "requires_grad_") or machine.frame.receiver is module:
        return  # the class has such an attribute, or a method of the module's own sets it
    parameters = [parameter for _, parameter in module.own_and_below()]
    machine.recorder.event(
        "no-effect", modules=[module], parameters=parameters, key=name, name=name, value=_shown(value)
    )


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, (bool, int, float, str, type(None))) else ""


def _set_norm(machine: Machine, norm: NormSettings, name: str, value: Value) -> None:
    if name == "track_running_stats":
        norm.tracks = machine.truth(value)
        return
    norm.momentum_known = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if norm.momentum_known:
        norm.momentum = None if value is None else float(value)


def removed(machine: Machine, module: Module, name: str) -> None:
    """`del module.name`."""
    keep_places(machine, module.children.get(name) or module)
    displace(machine, module.children.get(name))
    tables: tuple[dict[str, Value], ...] = (
        module.children,
        module.parameters,
        module.buffers,
        module.attributes,
    )
    for table in tables:
        table.pop(name, None)
    settle(module)
