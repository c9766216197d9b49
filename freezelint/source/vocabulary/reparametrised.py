"""Layers whose weight is computed from other parameters: weight norm, spectral norm, parametrizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Module, Parameter, Tensor, Unknown, Value
from freezelint.source.semantics.modules import keep_places
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "torch.nn.utils.weight_norm.": "torch.nn.utils.",
    "torch.nn.utils.spectral_norm.": "torch.nn.utils.",
}


def _target(call: Call) -> tuple[Module, str, Parameter] | None:
    """The layer, and the parameter that it loses; None where they are not known."""
    module, name = call.get(0, "module", None), known(call.get(1, "name", "weight"))
    weight = module.parameters.get(name) if isinstance(module, Module) and isinstance(name, str) else None
    return (module, name, weight) if weight is not None else None


def _without(machine: Machine, module: Module, name: str) -> None:
    """The parameter becomes a plain tensor, computed anew in each call."""
    keep_places(machine, module)
    module.parameters.pop(name)
    module.attributes[name] = Tensor(requires_grad=None, text=name)


def _pair(machine: Machine, weight: Parameter) -> tuple[Parameter, Parameter]:
    """Length and direction of a weight, as new parameters."""
    made = [
        Parameter(dims=dims, origin=weight.origin, built=machine.location())
        for dims in ((weight.dims[:1] + (1,) * (len(weight.dims) - 1)), weight.dims)
    ]
    return made[0], made[1]


@function("torch.nn.utils.weight_norm")
def weight_norm(machine: Machine, call: Call) -> Value:
    """The weight is replaced by two new parameters, which no earlier optimizer holds."""
    target = _target(call)
    if target is not None:
        module, name, weight = target
        length, direction = _pair(machine, weight)
        _without(machine, module, name)
        module.parameters.update({f"{name}_g": length, f"{name}_v": direction})
    return _module_of(call)


@function("torch.nn.utils.spectral_norm")
def spectral_norm(machine: Machine, call: Call) -> Value:
    """The same parameter under another name."""
    target = _target(call)
    if target is not None:
        module, name, weight = target
        _without(machine, module, name)
        module.parameters[f"{name}_orig"] = weight
    return _module_of(call)


@function(
    "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm",
    "torch.nn.utils.parametrizations.orthogonal",
)
def parametrization(machine: Machine, call: Call) -> Value:
    """The weight moves into a module of its own, `parametrizations`."""
    target = _target(call)
    if target is None:
        return _module_of(call)
    module, name, weight = target
    around = module.children.get("parametrizations") or Module("ModuleDict", "torch", role="container")
    around.bases = frozenset({"ModuleDict", "Module"})
    held = around.children[name] = Module(
        "ParametrizationList", "torch", bases=frozenset({"ModuleList", "Module"})
    )
    if call.name.endswith("weight_norm"):
        held.parameters = dict(zip(("original0", "original1"), _pair(machine, weight), strict=True))
    else:
        held.parameters = {"original": weight}
    rule = {"weight_norm": "_WeightNorm", "spectral_norm": "_SpectralNorm"}
    class_name = rule.get(call.name.rpartition(".")[2], "_Orthogonal")
    held.children["0"] = Module(class_name, "torch", bases=frozenset({"Module"}))
    _without(machine, module, name)
    module.children["parametrizations"] = around
    module.class_name = f"Parametrized{module.class_name.removeprefix('Parametrized')}"
    return module


@function(
    "torch.nn.utils.remove_weight_norm",
    "torch.nn.utils.remove_spectral_norm",
    "torch.nn.utils.parametrize.remove_parametrizations",
)
def removed(machine: Machine, call: Call) -> Value:
    """The weight is a parameter again."""
    module, name = call.get(0, "module", None), known(call.get(1, "name", "weight"))
    if not isinstance(module, Module) or not isinstance(name, str):
        return _module_of(call)
    direction = module.parameters.pop(f"{name}_v", None)
    module.parameters.pop(f"{name}_g", None)
    kept = module.parameters.pop(f"{name}_orig", None)
    around = module.children.get("parametrizations")
    held = around.children.pop(name, None) if around is not None else None
    if held is not None:
        kept, direction = held.parameters.get("original"), held.parameters.get("original1")
        if around is not None and not around.children:
            module.children.pop("parametrizations")
    found = kept or (
        Parameter(dims=direction.dims, origin=direction.origin, built=machine.location())
        if direction
        else None
    )
    if found is not None:
        module.attributes.pop(name, None)
        module.parameters[name] = found
    return module


def _module_of(call: Call) -> Value:
    return call.get(0, "module", Unknown("module"))
