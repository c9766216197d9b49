"""One training step without data or weights: in which order layers run, and which the loss never reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Ran:
    """Modules that own parameters: those called, in order of their first call, and those without a gradient.

    A module may be trained without being called: its parent may use its weights directly.
    """

    called: list[str]
    without_gradient: list[str]


def step(model: nn.Module, loss: Callable[[nn.Module], torch.Tensor]) -> Ran | None:
    """Run forward and backward in train mode. None where the model cannot be run this way."""
    called: dict[str, None] = {}
    handles = []
    model.train()
    for path, module in model.named_modules():
        if any(parameter is not None for parameter in module._parameters.values()):
            handles.append(module.register_forward_pre_hook(_enter(called, path)))
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    try:
        gradients = torch.autograd.grad(loss(model), list(trainable.values()), allow_unused=True)
    except Exception:  # without numbers a library's own code may fail in any way
        return None
    finally:
        for handle in handles:
            handle.remove()
    missed = [name for name, gradient in zip(trainable, gradients, strict=True) if gradient is None]
    return Ran(list(called), missed)


def total(output: Any) -> torch.Tensor:
    """The sum of everything in an output that depends on parameters."""
    parts = [part.float().sum() for part in _tensors(output)]
    if not parts:
        raise ValueError("the output depends on no parameter")
    return torch.stack(parts).sum()


def _enter(called: dict[str, None], path: str) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any) -> None:
        called.setdefault(path)

    return hook


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        if output.requires_grad and output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from _tensors(value)
    elif is_dataclass(output) and not isinstance(output, type):
        for field in fields(output):
            yield from _tensors(getattr(output, field.name))
