"""What a call of `freezelint.freezing` changes, kept so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Instance, Module, NormSettings, Parameter
from freezelint.source.semantics import staying
from freezelint.source.semantics.modules import parameters_below
from freezelint.source.semantics.selections import (
    Selection,
    has_statistics,
    inside,
    own_parameters,
)

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

KIND = "freezelint.freezing.Change"
_CHANGE = "*change"


@dataclass(frozen=True)
class _ModeBefore:
    module: Module
    stayed: bool | None
    training: bool | None


class Change:
    """Flags, modes and momenta as they were. The library's `Change` tells what each method is for."""

    def __init__(self, machine: Machine, model: Module) -> None:
        self._machine = machine
        self._model = model
        self._model_trained = model.training
        self._cause: int | None = None
        self._flags: list[tuple[Parameter, bool | None]] = []
        self._modes: list[_ModeBefore] = []
        self._momenta: list[tuple[NormSettings, float | None, bool]] = []

    def flag(self, parameters: Iterable[Parameter], value: bool | None) -> None:
        """Set `requires_grad` where it is another one; what is frozen loses its gradient."""
        every = list({id(parameter): parameter for parameter in parameters}.values())
        other = [p for p in every if p.requires_grad is not value]
        self._flags += [(parameter, parameter.requires_grad) for parameter in other]
        if other:
            self._machine.recorder.flag(other, value)
            self._cause = other[0].cause if value is False else self._cause
        for parameter in every if value is False else ():
            parameter.gradient = "none"

    def hold(self, norms: Iterable[Module]) -> None:
        """Put norm layers in eval, to stay there."""
        for norm in norms:
            self._remember(norm)
            own = (parameter.cause for parameter in own_parameters(norm))
            staying.hold(norm, next((cause for cause in own if cause is not None), self._cause))

    def let_go(self, norms: Iterable[Module]) -> None:
        """Give norm layers back to the model: into the mode that the model is in."""
        for norm in norms:
            self._remember(norm)
            if staying.stays(norm) is not False:
                staying.release(norm)
                self._train(norm, self._model.training)

    def forget(self, model: Module, *, value: bool | None) -> None:
        """Nobody knows what else in the model got this flag (None: or the other one)."""
        self.flag((p for p in parameters_below(model) if p.requires_grad is not value), None)
        for _, module in model.walk():
            if has_statistics(module) and (value is None or staying.stays(module) is value):
                self._remember(module)
                staying.forget(module)

    def set_momentum(self, norm: Module, momentum: float | None, *, is_known: bool) -> None:
        """Set the momentum of a norm layer, where it has one."""
        if norm.norm is not None and "_NormBase" in norm.bases:
            self._momenta.append((norm.norm, norm.norm.momentum, norm.norm.momentum_known))
            norm.norm.momentum, norm.norm.momentum_known = momentum, is_known

    def undo(self) -> None:
        """Take the change back; a second call does nothing."""
        for value in (True, False, None):
            parameters = [p for p, before in self._flags if before is value and p.requires_grad is not value]
            if parameters:
                self._machine.recorder.flag(parameters, value)
            for parameter in parameters if value is False else ():
                parameter.gradient = "none"
        for before in reversed(self._modes):
            self._restore(before)
        for norm, momentum, is_known in reversed(self._momenta):
            norm.momentum, norm.momentum_known = momentum, is_known
        self._flags, self._modes, self._momenta = [], [], []

    def as_value(self) -> Instance:
        """The record, as the script sees it."""
        return Instance(None, {_CHANGE: self}, KIND)

    def _remember(self, norm: Module) -> None:
        self._modes.append(_ModeBefore(norm, staying.stays(norm), norm.training))

    def _restore(self, before: _ModeBefore) -> None:
        with_model = before.training is self._model_trained
        if before.stayed is None:
            staying.forget(before.module)
        elif before.stayed:
            staying.hold(before.module, self._cause)
        else:
            staying.release(before.module)
            self._train(before.module, self._model.training if with_model else before.training)

    def _train(self, norm: Module, mode: bool | None) -> None:
        if mode is None:
            staying.put(norm, None, None)
        else:
            self._machine.call(self._machine.get(norm, "train"), mode)


def change_in(value: object) -> Change | None:
    """The change that a record holds."""
    change = value.attributes.get(_CHANGE) if isinstance(value, Instance) else None
    return change if isinstance(change, Change) else None


# -- freezing and unfreezing ---------------------------------------------------------------------------------


def freeze(machine: Machine, model: Module, selection: Selection) -> Change:
    """Freeze what was selected, with the norm layers that go with it."""
    change = Change(machine, model)
    change.flag(selection.parameters.values(), False)
    norms = norms_of(model, selection)
    taken = {id(parameter) for parameter in selection.parameters.values()}
    change.hold([*norms, *_bare_norms(model, taken, set())])
    if not selection.clear:
        change.forget(model, value=False)
    return change


def unfreeze(machine: Machine, model: Module, selection: Selection, *, keep_norms: bool) -> Change:
    """Make what was selected trainable."""
    norms = norms_of(model, selection)
    change = Change(machine, model)
    kept = {id(p) for norm in norms for p in own_parameters(norm)} if keep_norms else set()
    change.flag((p for p in selection.parameters.values() if id(p) not in kept), True)
    if not keep_norms:
        change.let_go(norms)
    if not selection.clear:
        change.forget(model, value=True)
    return change


def leave_trainable(machine: Machine, model: Module, left: Selection) -> Change:
    """Freeze everything but what was selected, and make that trainable."""
    change = Change(machine, model)
    if not left.clear:
        change.forget(model, value=None)
        return change
    everything = inside([("", model)])
    trains = {id(parameter) for parameter in left.parameters.values()}
    free = {id(norm): norm for norm in norms_of(model, left)}
    change.flag((p for p in everything.parameters.values() if id(p) not in trains), False)
    change.hold(m for _, m in model.walk() if has_statistics(m) and id(m) not in free)
    change.flag(left.parameters.values(), True)
    change.let_go(free.values())
    return change


def norms_of(model: Module, selection: Selection) -> list[Module]:
    """The norm layers with running statistics that are named, or all of whose parameters are."""
    taken = {id(parameter) for parameter in selection.parameters.values()}
    named = {id(module) for module in selection.modules.values()}
    return [m for _, m in model.walk() if has_statistics(m) and (id(m) in named or _all_in(m, taken))]


def _all_in(module: Module, taken: set[int]) -> bool:
    own = own_parameters(module)
    return bool(own) and all(id(parameter) in taken for parameter in own)


def _bare_norms(module: Module, taken: set[int], met: set[int]) -> list[Module]:
    """Norm layers without parameters directly inside what is now wholly frozen."""
    if id(module) in met:
        return []
    met.add(id(module))
    parameters = parameters_below(module)
    if not any(id(parameter) in taken for parameter in parameters):
        return []
    frozen = all(parameter.requires_grad is False for parameter in parameters)
    found: list[Module] = []
    for child in list(module.children.values()):
        if child is not None:
            if frozen and has_statistics(child) and not parameters_below(child):
                found.append(child)
            found += _bare_norms(child, taken, met)
    return found
