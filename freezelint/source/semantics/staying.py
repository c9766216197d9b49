"""Modes that last: what `freezelint.freezing` does to `train()` of single modules."""

from __future__ import annotations

from freezelint.source.interpreter.values import Module, Value
from freezelint.source.semantics.modules import parameters_below
from freezelint.source.semantics.open_ends import rest_of

# Attributes of modules, under names that no script can use.
_STAYS = "*stays in eval"
_KEEPS = "*keeps frozen in eval"


def stays(module: Module) -> bool | None:
    """Whether a module stays in eval whatever `train()` says; None where nobody knows."""
    found: bool | None = module.attributes.get(_STAYS, False)
    return found


def hold(module: Module, cause: int | None) -> None:
    """Put a module in eval, to stay there."""
    if stays(module) is not True:
        module.attributes[_STAYS] = True
        put(module, False, cause)


def forget(module: Module) -> None:
    """Whether the module stays in eval is not known any more, nor its mode."""
    module.attributes[_STAYS] = None
    put(module, None, None)


def release(module: Module) -> None:
    """Let `train()` reach the module again."""
    module.attributes.pop(_STAYS, None)


def without(attributes: dict[str, Value]) -> dict[str, Value]:
    """The attributes of a module as another one takes them over that is made from it."""
    return {name: value for name, value in attributes.items() if name not in (_STAYS, _KEEPS)}


def keep(module: Module, kept: bool) -> None:
    """From now on `train()` of the module puts in eval what is wholly frozen then; or does so no longer."""
    if kept:
        module.attributes[_KEEPS] = True
    else:
        module.attributes.pop(_KEEPS, None)


def keeps(module: Module) -> bool:
    """Whether `train()` of the module puts in eval what is wholly frozen."""
    return _KEEPS in module.attributes


def put(module: Module, training: bool | None, cause: int | None) -> None:
    """Set the mode of a module and of all inside it, whatever their `train` does."""
    for _, inner in module.walk():
        inner.training, inner.training_cause = training, cause


def put_frozen_in_eval(module: Module, met: set[int] | None = None) -> None:
    """Put the outermost wholly frozen modules in eval; where nobody knows whether one is, its mode is unknown
    afterwards.
    """
    met = set() if met is None else met
    if id(module) in met:
        return
    met.add(id(module))
    flags = [parameter.requires_grad for parameter in parameters_below(module)]
    if True in flags:
        for child in list(module.children.values()):
            if child is not None and (child.open or parameters_below(child)):
                put_frozen_in_eval(child, met)
        if module.open and rest_of(module).requires_grad is not True:
            rest = module.attributes.get("*module")
            if isinstance(rest, Module):
                put(rest, None, None)
    else:
        put(module, None if None in flags else False, None)
