"""Putting everything back after an audit: values, state, gradients, modes and random numbers, each as
it was.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from freezelint.errors import BadInputError
from freezelint.live.stepping import optimizers_in, with_inner

_METHODS = ("train", "requires_grad_")


class Kept:
    """A snapshot of a model, an optimizer and the random number generators; `restore()` brings all of it
    back.

    Host memory: one copy of the buffers, the gradients, the optimizer's state and the parameters that are
    trainable or optimised. Frozen parameters outside the optimizer are copied only when something is about to
    write to them (`guard`, a context that slows every operation down), or at once where `everything` is asked
    for.
    """

    def __init__(self, model: nn.Module, optimizer: Any, *, everything: bool = False) -> None:
        _refuse_lazy(model)
        optimizers = with_inner(optimizers_in(optimizer))
        held = [p for each in optimizers for group in each.param_groups for p in group["params"]]
        parameters = list({id(p): p for p in (*model.parameters(), *held)}.values())
        changing = {id(p) for p in held} | {id(p) for p in parameters if everything or p.requires_grad}
        still = [p for p in parameters if id(p) not in changing]
        seen = {id(p) for p in parameters}  # kept already: groups and states refer to them
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
            *(undo for each in optimizers for undo in _optimizer(each, seen)),
            *_generators(),
            self.guard.restore,
        ]

    def restore(self) -> None:
        """Bring everything back. What fails keeps nothing else from it; the first failure is raised at the
        end.
        """
        failed: list[Exception] = []
        with torch.no_grad():
            for undo in self._undo:
                try:
                    undo()
                except Exception as error:
                    failed.append(error)
        if failed:
            raise failed[0]


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


def _refuse_lazy(model: nn.Module) -> None:
    """What a first forward pass makes of a lazy module (its class, its shapes) cannot be taken back."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            raise BadInputError(
                f"`{name}` belongs to a lazy module and has no shape yet, so that the audit could not put it "
                "back: run the model on one batch first, then build the optimizer"
            )


def _tensor(tensor: torch.Tensor) -> Callable[[], None]:
    """The values, in the memory where they were: a step may also have put other memory in place."""
    memory = tensor.detach()
    written = _written_once(memory)
    copy = written.to("cpu", copy=True)

    def restore() -> None:
        written.copy_(copy)
        if not _share_memory(tensor, memory):
            tensor.data = memory

    return restore


def _share_memory(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided or other.layout is not torch.strided:
        return False  # writing to a sparse tensor gives it other memory
    return bool(tensor.untyped_storage()._cdata == other.untyped_storage()._cdata)


def _written_once(tensor: torch.Tensor) -> torch.Tensor:
    """The part of an expanded tensor that stands for all of it: torch refuses to write the same memory
    twice.
    """
    if tensor.layout is torch.strided:
        for axis, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            if stride == 0 and size > 1:
                tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _alias(parameter: nn.Parameter) -> Callable[[], None]:
    memory = parameter.detach()

    def restore() -> None:
        if not _share_memory(parameter, memory):
            parameter.data = memory

    return restore


def _gradient(parameter: nn.Parameter) -> Callable[[], None]:
    gradient = parameter.grad
    written = None if gradient is None else _written_once(gradient.detach())
    copy = None if written is None else written.to("cpu", copy=True)

    def restore() -> None:
        parameter.grad = gradient
        if written is not None and copy is not None:
            written.copy_(copy)

    return restore


def _flag(parameter: nn.Parameter) -> Callable[[], None]:
    flag = parameter.requires_grad

    def restore() -> None:
        if parameter.requires_grad != flag:
            parameter.requires_grad = flag

    return restore


def _mode(module: nn.Module) -> Callable[[], None]:
    """Each module's own flag: `model.train(flag)` would reach the children that were in another mode. And
    what stands in the place of its methods (`freezelint.freezing.modes`).
    """
    training, own = module.training, vars(module)
    stand_ins = {name: own[name] for name in _METHODS if name in own}

    def restore() -> None:
        module.training = training
        for name in _METHODS:
            own.pop(name, None)
        own.update(stand_ins)

    return restore


def _members(module: nn.Module) -> Callable[[], None]:
    """Parameters, buffers and children that the step added, took away or exchanged.

    Those of a scripted module are no dictionaries, and cannot be exchanged.
    """
    tables: tuple[Any, ...] = (module._parameters, module._buffers, module._modules)
    members: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (table, dict(table)) for table in tables if isinstance(table, dict)
    ]

    def restore() -> None:
        for table, kept in members:
            if list(table) != list(kept) or any(table[name] is not value for name, value in kept.items()):
                table.clear()
                table.update(kept)

    return restore


def _optimizer(optimizer: Optimizer, seen: set[int]) -> Iterator[Callable[[], None]]:
    groups, state = optimizer.param_groups, optimizer.state

    def restore() -> None:
        if optimizer.param_groups is not groups:
            optimizer.param_groups = groups
        if optimizer.state is not state:
            optimizer.state = state

    yield restore
    yield from _contents(groups, seen)
    yield from _contents(state, seen)


def _contents(value: Any, seen: set[int]) -> Iterator[Callable[[], None]]:
    """What tensors and containers hold, at any depth, each put back in place. `seen` are ids of what is kept
    already.
    """
    if id(value) in seen:
        return
    inside: Iterable[Any] = ()
    if isinstance(value, torch.Tensor):
        yield _tensor(value)
    elif isinstance(value, dict):
        yield _entries(value)
        inside = value.values()
    elif isinstance(value, (list, deque)):
        yield _items(value)
        inside = value
    elif isinstance(value, tuple):
        inside = value
    else:
        return
    seen.add(id(value))
    for item in inside:
        yield from _contents(item, seen)


def _entries(table: dict[Any, Any]) -> Callable[[], None]:
    kept = dict(table)

    def restore() -> None:
        table.clear()
        table.update(kept)

    return restore


def _items(sequence: list[Any] | deque[Any]) -> Callable[[], None]:
    kept = list(sequence)

    def restore() -> None:
        sequence.clear()
        sequence.extend(kept)

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
