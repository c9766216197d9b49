"""Watching modules run: in which mode, in what order, with or without gradients, and what autograd keeps for
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from freezelint.live.patching import Patches
from freezelint.live.reading.conditions import no_grad_on_condition
from freezelint.live.reading.places import user_frame
from freezelint.live.watchers.graph import GraphWatcher
from freezelint.live.watchers.running_statistics import Statistics, statistics_of


class Call:
    """What the calls of one module in one step have in common."""

    __slots__ = (
        "conditional_cut",
        "cut",
        "input_requires_grad",
        "module",
        "order",
        "output_requires_grad",
        "reached",
        "saved_bytes",
        "statistics",
        "training",
        "training_without_gradient",
        "with_gradient",
        "without_gradient",
    )

    def __init__(self, module: nn.Module, order: int) -> None:
        self.module = module
        self.order = order
        self.training: bool | None = None  # in a call with grad mode on
        self.training_without_gradient: bool | None = None
        self.with_gradient = False
        self.without_gradient = False
        self.input_requires_grad: bool | None = None
        self.output_requires_grad: bool | None = None
        self.saved_bytes = 0
        self.statistics: Statistics | None = None  # from before the first call in train mode
        self.cut = False
        self.conditional_cut = False
        self.reached: bool | None = None  # whether backward came through its output; None: not watched

    def await_backward(self, output: Any) -> None:
        """Notice when backward comes through this output: what a frozen layer does not show by a gradient."""
        for tensor in tensors_in((output,)):
            if tensor.grad_fn is not None:
                with suppress(RuntimeError):  # inside a transform of torch.func no hook can be set
                    tensor.register_hook(self._on_backward)  # type: ignore[no-untyped-call]
                    self.reached = bool(self.reached)

    def _on_backward(self, _gradient: torch.Tensor) -> None:
        self.reached = True

    @property
    def trained(self) -> bool | None:
        """The mode that counts: that of the calls with gradients; train mode wins where calls differ."""
        return self.training if self.training is not None else self.training_without_gradient


class ForwardWatcher:
    """Observes every module call while `recording`; otherwise costs one attribute read a call."""

    def __init__(self, graph: GraphWatcher, *, on_first_gradient: Callable[[nn.Module], None]) -> None:
        self._graph = graph
        self._on_first_gradient = on_first_gradient
        self.recording = True
        self.measure_saved = False
        self.ran = False
        self.calls: dict[int, Call] = {}
        self.roots: dict[int, nn.Module] = {}  # modules called from outside every other module
        self._gradient_seen = False
        self._stack: list[Call] = []
        self._storages: set[int] = set()
        self._saving: torch.autograd.graph.saved_tensors_hooks | None = None

    def install(self, patches: Patches) -> None:
        watcher = self

        # One frame a call and no more: a deep network must not run into the recursion limit.
        def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
            if not watcher.recording or watcher._graph.in_backward or torch.compiler.is_compiling():
                return original(module, *args, **kwargs)
            gradient = watcher._begin(module, args, kwargs)
            output = None
            try:
                output = original(module, *args, **kwargs)
                return output
            finally:
                watcher._end(gradient, args, kwargs, output)

        original = patches.replace(nn.Module, "__call__", call)

    def begin_step(self) -> None:
        """Forget the calls of the step before."""
        self.calls.clear()
        self.roots.clear()
        self._storages.clear()
        self._gradient_seen = False

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Look at a module that is about to run; returns whether gradients will flow through it."""
        self.ran = True
        if not self._stack:
            self._enter(module, args, kwargs)
        call = self.calls.get(id(module))
        if call is None:
            call = self.calls[id(module)] = Call(module, len(self.calls))
        gradient = self._note_modes(call, module)
        if not self._stack and gradient and self.measure_saved and not _inside_transform():
            self._saving = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)
            self._saving.__enter__()
        self._stack.append(call)
        return gradient

    def _end(self, gradient: bool, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Look at what came out of a module; None where it raised."""
        call = self._stack.pop()
        if not self._stack and self._saving is not None:
            self._saving.__exit__()
            self._saving = None
        if gradient:
            self._note_flow(call, args, kwargs, output)

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inside_checkpoint = self._graph.checkpoint_gradient is not None  # runs without grad mode, yet trains
        if (torch.is_grad_enabled() or inside_checkpoint) and not self._gradient_seen:
            self._on_first_gradient(module)
            self._gradient_seen = True
        if any(is_input_leaf(tensor) for tensor in tensors_in((*args, *kwargs.values()))):
            self.measure_saved = True
        self.roots[id(module)] = module

    def _note_modes(self, call: Call, module: nn.Module) -> bool:
        """Record mode and grad mode of this call; returns whether gradients will flow through it."""
        gradient = torch.is_grad_enabled()
        inside = self._graph.checkpoint_gradient
        if inside is not None:  # a reentrant checkpoint runs without grad mode, and again with it in backward
            gradient = inside
            call.cut = call.cut or not inside
        if gradient or inside is not None:
            call.with_gradient = call.with_gradient or gradient
            call.training = bool(call.training) or module.training
        else:
            call.without_gradient = True
            if not call.conditional_cut and _trains(module):
                call.conditional_cut = no_grad_on_condition(user_frame())
            call.training_without_gradient = bool(call.training_without_gradient) or module.training
        if call.statistics is None and module.training and isinstance(module, _NormBase):
            call.statistics = statistics_of(module)
        return gradient

    def _note_flow(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if self._graph.checkpoint_gradient is None:
            received = [
                tensor for tensor in tensors_in((*args, *kwargs.values())) if tensor.is_floating_point()
            ]
            for tensor in received:
                if is_input_leaf(tensor):
                    self._graph.suspect(tensor, call.module)
            if received:
                call.input_requires_grad = bool(call.input_requires_grad) or any(
                    t.requires_grad for t in received
                )
            call.output_requires_grad = bool(call.output_requires_grad) or any(
                tensor.requires_grad for tensor in tensors_in((output,))
            )
            if call.output_requires_grad and _is_frozen_layer(call.module):
                call.await_backward(output)

    def _pack(self, tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Count memory that autograd keeps, once for each storage; weights that it keeps cost nothing
        extra.
        """
        if self._stack and not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()._cdata
            if storage not in self._storages:
                self._storages.add(storage)
                self._stack[-1].saved_bytes += tensor.numel() * tensor.element_size()
        return tensor, tensor._version


def tensors_in(values: Any, depth: int = 2) -> Iterator[torch.Tensor]:
    """The tensors among arguments or results, also inside tuples, lists and mappings (model outputs)."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif depth and isinstance(value, dict):
            yield from tensors_in(value.values(), depth - 1)
        elif depth and isinstance(value, (list, tuple)):
            yield from tensors_in(value, depth - 1)


def _trains(module: nn.Module) -> bool:
    """Whether a parameter of the module's own is trainable."""
    return any(parameter is not None and parameter.requires_grad for parameter in module._parameters.values())


def _is_frozen_layer(module: nn.Module) -> bool:
    """Whether the module has parameters of its own, all of them frozen."""
    own = [parameter for parameter in module._parameters.values() if parameter is not None]
    return bool(own) and not any(parameter.requires_grad for parameter in own)


def is_input_leaf(tensor: torch.Tensor) -> bool:
    """Whether gradients would be computed for this tensor although it is neither a parameter nor a result."""
    return tensor.requires_grad and tensor.grad_fn is None and not isinstance(tensor, nn.Parameter)


def _inside_transform() -> bool:
    """Whether torch.func is at work, which allows no hooks on saved tensors."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def _unpack(saved: tuple[torch.Tensor, int]) -> torch.Tensor:
    """Gives the tensor back after the check that autograd makes where nobody watches."""
    tensor, version = saved
    if tensor._version != version:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[{tensor.type()} {list(tensor.shape)}] is at version {tensor._version}; "
            f"expected version {version}"
        )
    return tensor
