"""Putting everything back after an audit: values, state, gradients, modes and random numbers, each as
it was.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode


class Kept:
    """A snapshot of a model, an optimizer and the random number generators; `restore()` brings all of it
    back.

    Host memory: one copy of the buffers, the gradients, the optimizer's state and the parameters that are
    trainable or optimised. Frozen parameters outside the optimizer are copied only when something is about to
    write to them (`guard`).
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        held = [p for group in optimizer.param_groups for p in group["params"]]
        parameters = list({id(p): p for p in (*model.parameters(), *held)}.values())
        changing = {id(p) for p in held} | {id(p) for p in parameters if p.requires_grad}
        still = [p for p in parameters if id(p) not in changing]
        self.guard = _CopyOnWrite(still)
        self._undo: list[Callable[[], None]] = [
            *(
                _tensor(tensor)
                for tensor in (*(p for p in parameters if id(p) in changing), *model.buffers())
            ),
            *(_alias(parameter) for parameter in still),
            *(_gradient(parameter) for parameter in parameters),
            *(_flag(parameter) for parameter in parameters),
            *(_mode(module) for module in model.modules()),
            *(_members(module) for module in model.modules()),
            *_optimizer(optimizer),
            *_generators(),
        ]

    def restore(self) -> None:
        with torch.no_grad():
            for undo in self._undo:
                undo()
            self.guard.restore()


class _CopyOnWrite(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Copies a guarded tensor to the host right before an operation writes to its memory."""

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._guarded = {tensor.untyped_storage()._cdata: tensor.detach() for tensor in tensors}
        self._copies: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if self._guarded and func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args, strict=False):
                if argument.is_write:
                    self._save(value)
            for argument in func._schema.arguments:
                if argument.is_write and argument.name in named:
                    self._save(named[argument.name])
        return func(*args, **named)

    def _save(self, written: Any) -> None:
        for tensor in written if isinstance(written, (list, tuple)) else [written]:
            if isinstance(tensor, torch.Tensor):
                guarded = self._guarded.pop(tensor.untyped_storage()._cdata, None)
                if guarded is not None:
                    self._copies.append((guarded, guarded.to("cpu", copy=True)))

    def restore(self) -> None:
        for tensor, copy in self._copies:
            tensor.copy_(copy)


def _tensor(tensor: torch.Tensor) -> Callable[[], None]:
    """The values, in the memory where they were: a step may also have put other memory in place."""
    memory, copy = tensor.detach(), tensor.detach().to("cpu", copy=True)

    def restore() -> None:
        memory.copy_(copy)
        if tensor.untyped_storage()._cdata != memory.untyped_storage()._cdata:
            tensor.data = memory

    return restore


def _alias(parameter: nn.Parameter) -> Callable[[], None]:
    memory = parameter.detach()

    def restore() -> None:
        if parameter.untyped_storage()._cdata != memory.untyped_storage()._cdata:
            parameter.data = memory

    return restore


def _gradient(parameter: nn.Parameter) -> Callable[[], None]:
    gradient = parameter.grad
    copy = None if gradient is None else gradient.detach().to("cpu", copy=True)

    def restore() -> None:
        if gradient is not None and copy is not None:
            gradient.detach().copy_(copy)
        parameter.grad = gradient

    return restore


def _flag(parameter: nn.Parameter) -> Callable[[], None]:
    flag = parameter.requires_grad

    def restore() -> None:
        if parameter.requires_grad != flag:
            parameter.requires_grad = flag

    return restore


def _mode(module: nn.Module) -> Callable[[], None]:
    """Each module's own flag: `model.train(flag)` would reach the children that were in another mode."""
    training = module.training

    def restore() -> None:
        module.training = training

    return restore


def _members(module: nn.Module) -> Callable[[], None]:
    """Parameters, buffers and children that the step added, took away or exchanged."""
    members: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (table, dict(table)) for table in (module._parameters, module._buffers, module._modules)
    ]

    def restore() -> None:
        for table, kept in members:
            if list(table) != list(kept) or any(table[name] is not value for name, value in kept.items()):
                table.clear()
                table.update(kept)

    return restore


def _optimizer(optimizer: Optimizer) -> list[Callable[[], None]]:
    groups = [({**group}, list(group["params"])) for group in optimizer.param_groups]
    states = [(parameter, _state(state)) for parameter, state in optimizer.state.items()]

    def restore() -> None:
        del optimizer.param_groups[len(groups) :]
        for group, (kept, parameters) in zip(optimizer.param_groups, groups, strict=True):
            group.clear()
            group.update(kept, params=parameters)
        optimizer.state.clear()
        for parameter, bring_back in states:
            optimizer.state[parameter] = bring_back()

    rates = [_tensor(v) for group, _ in groups for v in group.values() if isinstance(v, torch.Tensor)]
    return [restore, *rates]


def _state(state: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    values = dict(state)
    tensors = [_tensor(value) for value in values.values() if isinstance(value, torch.Tensor)]

    def restore() -> dict[str, Any]:
        for undo in tensors:
            undo()
        state.clear()
        state.update(values)
        return state

    return restore


def _generators() -> list[Callable[[], None]]:
    """Random number generators: torch's on every device in use, Python's, and numpy's where it is loaded."""
    states: list[Callable[[], None]] = []
    kept, python = torch.get_rng_state(), random.getstate()
    states.append(lambda: torch.set_rng_state(kept))
    states.append(lambda: random.setstate(python))
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        devices = torch.cuda.get_rng_state_all()
        states.append(lambda: torch.cuda.set_rng_state_all(devices))
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        legacy = numpy.random.get_state()
        states.append(lambda: numpy.random.set_state(legacy))
    return states
