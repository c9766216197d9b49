"""Copies of what a script holds: `copy.deepcopy` and `copy.copy`."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import (
    Instance,
    Method,
    Module,
    NormSettings,
    Optimizer,
    Parameter,
    Tensor,
    Value,
)
from freezelint.source.recording.lost_copies import remember

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_DEEPEST = 60


def deep_copy(machine: Machine, value: Value) -> Value:
    """A copy that shares nothing with the original: parameters are new, with the flags and origins of the old
    ones, and what was tied stays tied among itself.
    """
    copier = _Copier(machine)
    copied = copier.copy(value, _DEEPEST)
    machine.recorder.made.extend(copier.outermost)
    return copied


def shallow_copy(value: Value) -> Value:
    """A copy that shares its parts with the original."""
    if isinstance(value, (list, dict, set, deque)):
        return value.copy()
    if isinstance(value, Instance):
        return Instance(value.cls, dict(value.attributes), value.kind)
    if isinstance(value, Module):
        copied = _twin(value)
        copied.children, copied.parameters = value.children, value.parameters
        copied.buffers, copied.attributes = value.buffers, dict(value.attributes)
        return copied
    return value


class _Copier:
    """One deep copy: what was copied already is taken again."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._memo: dict[int, Value] = {}
        self._kept: list[Value] = []  # originals stay alive, so that their ids stay theirs
        self._inside = 0
        self.outermost: list[Module] = []

    def copy(self, value: Value, depth: int) -> Value:
        if depth <= 0:
            return value
        known = self._memo.get(id(value))
        if known is not None:
            return known
        self._kept.append(value)
        if isinstance(value, Module):
            return self._module(value, depth)
        if isinstance(value, Parameter):
            return self._remember(value, self._parameter(value))
        if isinstance(value, Tensor):
            copied = Tensor(
                requires_grad=value.requires_grad, text=value.text, leaf=value.leaf, shape=value.shape
            )
            copied.cut, copied.behind, copied.parents = value.cut, value.behind, value.parents
            return self._remember(value, copied)
        return self._container(value, depth)

    def _remember(self, value: Value, copied: Value) -> Value:
        self._memo[id(value)] = copied
        return copied

    def _parameter(self, parameter: Parameter) -> Parameter:
        copied = _parameter(parameter)
        remember(copied, parameter, self._machine.ticks)
        return copied

    def _container(self, value: Value, depth: int) -> Value:
        if isinstance(value, (list, deque)):
            copied: Value = self._remember(value, type(value)())
            copied.extend(self.copy(one, depth - 1) for one in list(value))
            return copied
        if isinstance(value, dict):
            copied = self._remember(value, _empty(value))
            copied.update((key, self.copy(one, depth - 1)) for key, one in list(value.items()))
            return copied
        if isinstance(value, set):
            return set(value)
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple(self.copy(one, depth - 1) for one in value)
        if isinstance(value, Instance):
            made = Instance(value.cls, {}, value.kind)
            self._remember(value, made)
            self._fill(made.attributes, value.attributes, depth)
            return made
        if isinstance(value, Optimizer):
            return self._optimizer(value, depth)
        if isinstance(value, Method):
            return Method(value.function, self.copy(value.owner, depth - 1))
        return value

    def _fill(self, attributes: dict[str, Value], original: dict[str, Value], depth: int) -> None:
        attributes.update((name, self.copy(one, depth - 1)) for name, one in list(original.items()))

    def _module(self, module: Module, depth: int) -> Module:
        self._machine.tick()
        copied = _twin(module)
        self._remember(module, copied)
        if not self._inside:
            self.outermost.append(copied)
        self._inside += 1
        for name, parameter in module.parameters.items():
            copied.parameters[name] = None if parameter is None else self.copy(parameter, depth - 1)
        for name, child in module.children.items():
            copied.children[name] = None if child is None else self.copy(child, depth - 1)
        self._fill(copied.buffers, module.buffers, depth)
        self._fill(copied.attributes, module.attributes, depth)
        copied.attributes.pop("*settings", None)  # methods bound to the original
        if module.wraps is not None:
            copied.wraps = self.copy(module.wraps, depth - 1)
        self._inside -= 1
        return copied

    def _optimizer(self, optimizer: Optimizer, depth: int) -> Optimizer:
        made = Optimizer(optimizer.class_name, [], location=self._machine.location())
        self._remember(optimizer, made)
        made.groups = [self.copy(group, depth - 1) for group in optimizer.groups]
        made.complete, made.stateful, made.cls = optimizer.complete, optimizer.stateful, optimizer.cls
        self._fill(made.attributes, optimizer.attributes, depth)
        return made


def _empty(value: dict[Value, Value]) -> dict[Value, Value]:
    if isinstance(value, defaultdict):
        return defaultdict(value.default_factory)
    return OrderedDict() if isinstance(value, OrderedDict) else {}


def _parameter(parameter: Parameter) -> Parameter:
    return Parameter(
        requires_grad=parameter.requires_grad,
        dims=parameter.dims,
        origin=parameter.origin,
        text=parameter.text,
    )


def _twin(module: Module) -> Module:
    """A module of the same class and settings, without children and parameters. No constructor has
    built it.
    """
    norm = module.norm
    settings = None
    if norm is not None:
        settings = NormSettings(
            norm.has_statistics, norm.tracks, norm.momentum, norm.momentum_known, norm.affine
        )
    return Module(
        module.class_name,
        module.library,
        cls=module.cls,
        role=module.role,
        bases=module.bases,
        norm=settings,
        dropout=module.dropout,
        overrides_train=module.overrides_train,
        open=module.open,
        training=module.training,
        unused=module.unused,
        calls=module.calls,
    )
