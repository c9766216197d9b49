"""What norm layers with running statistics do during fine-tuning: stay, stay in the early layers, be measured
anew on the target data, or adapt.

All of it concerns every layer that keeps running statistics: BatchNorm of any dimension, SyncBatchNorm,
InstanceNorm with `track_running_stats`, with or without scale and shift, and subclasses. LayerNorm, GroupNorm
and RMSNorm have none: freeze them as any other layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from freezelint.freezing.execution import run_order
from freezelint.freezing.layers import has_statistics
from freezelint.freezing.measuring import measured
from freezelint.freezing.patterns import NoMatchError, Pattern, compiled, inner, select, unwrapped
from freezelint.freezing.records import Change

__all__ = ["adapt", "calibrate", "freeze", "freeze_until"]


def freeze(model: nn.Module, *patterns: Pattern) -> Change:
    """Freeze the norm layers with running statistics, scale, shift and statistics, wherever they are, or
    inside what the patterns (as in `freezing.freeze`) name.

    They go to eval and stay there through `model.train()`; all other layers keep their flags. Returns a
    `Change`. Raises `NoMatchError` where there is no such layer, or a pattern names nothing.

    Source: torch documentation, `BatchNorm2d`.
    """
    model = inner(model)
    change = Change(model, frozen=True)
    _freeze(change, chosen(model, patterns))
    return change


def freeze_until(model: nn.Module, name: str, sample: Any = None) -> Change:
    """Freeze, as `freeze` does, the norm layers that come before what `name` (a dotted name or a glob) names.

    "Before" is in the order of definition; with a `sample` (one batch, as `freezing.blocks` takes it) in
    the order of execution. Layers from `name` on keep their flags and modes. Returns a `Change`. Raises
    `NoMatchError` where `name` names nothing, or no norm layer comes before it.
    """
    model = inner(model)
    select(model, [name])
    matches = compiled(name).match
    order = [n for n, _ in model.named_modules()] if sample is None else run_order(model, sample)
    first = next((position for position, n in enumerate(order) if matches(n)), None)
    if first is None:
        raise NoMatchError(f"`{name}` names no module that runs: name a module, not a parameter")
    early = {n: model.get_submodule(n) for n in order[:first]}
    norms = {n: m for n, m in early.items() if has_statistics(m)}
    if not norms:
        raise NoMatchError(f"no norm layer with running statistics comes before `{name}`")
    change = Change(model, frozen=True)
    _freeze(change, norms)
    return change


def adapt(model: nn.Module, *patterns: Pattern, momentum: float | None = 0.1) -> Change:
    """Let norm layers follow the target data: scale and shift trainable, statistics updated with `momentum`.

    `momentum` is the weight of a new batch, in (0, 1]; None averages over all batches. Where `freeze` held a
    layer in eval, it goes back to the mode that the model is in. Statistics need batches that are not
    small: a few dozen values a channel. Returns a `Change`, which also restores the momentum. Raises
    `ValueError` for a momentum out of range (0 would freeze the statistics and still normalise with
    those of the batch), `NoMatchError` as `freeze` does.
    """
    if momentum is not None and not 0 < momentum <= 1:
        raise ValueError(
            f"momentum must lie in (0, 1] or be None, and is {momentum}; `norms.freeze` keeps statistics"
        )
    model = inner(model)
    norms = chosen(model, patterns)
    change = Change(model, frozen=False)
    change.flag(_parameters(norms), True)
    change.let_go(norms.items())
    for norm in norms.values():
        change.set_momentum(norm, momentum)
    return change


def calibrate(
    model: nn.Module,
    loader: Iterable[Any],
    *patterns: Pattern,
    forward: Callable[[nn.Module, Any], Any] | None = None,
) -> int:
    """Measure running statistics anew on the batches of `loader`, and return how many batches there were.

    Each layer ends with the exact mean and unbiased variance of all that reached it, as if all batches had
    been one, however they are sized; no momentum is involved. During the pass the layers in question
    normalise with the statistics of the batch, as in training; everything else is in eval, without gradients.
    Weights, flags, gradients, modes, momenta and random numbers are left as they were, and a layer that a
    freeze holds in eval stays there. Layers that no batch reaches keep their statistics. If anything raises,
    all keep theirs.

    A batch is a tensor, a tuple or list whose first element is the input, or a dict of keyword arguments;
    it is moved to the device of the model's first parameter. `forward(model, batch)` replaces this. Patterns
    (as in `freezing.freeze`) restrict the layers. In a distributed job each process measures its own batches.

    Raises `NoMatchError` where the model has no such layer, `ValueError` where the loader gives no batch or
    inputs are not finite. A batch with a single value per channel raises as it does in training.

    Source: torch documentation, `BatchNorm2d`; Chan, Golub and LeVeque 1979 for merging variances.
    """
    model = unwrapped(model)
    norms = chosen(model, patterns)
    pooled, batches = measured(model, norms.values(), loader, forward, by_batch=True)
    for name, norm in norms.items():
        if not pooled[norm].is_finite:
            raise ValueError(
                f"what reaches `{name}` is not finite: look for NaN or overflow in the preprocessing, and "
                "for half precision"
            )
    with torch.no_grad():
        for norm, statistics in pooled.items():
            statistics.write(norm)
    return batches


def chosen(model: nn.Module, patterns: tuple[Pattern, ...]) -> dict[str, nn.Module]:
    """The norm layers with running statistics that the patterns name, each once; raises `NoMatchError`."""
    modules = select(model, patterns).modules
    chosen = {id(module): name for name, module in reversed(modules.items()) if has_statistics(module)}
    if not chosen:
        where = "what the patterns name" if patterns else type(model).__name__
        raise NoMatchError(f"{where} has no norm layer with running statistics")
    wanted = set(chosen.values())
    return {name: module for name, module in modules.items() if name in wanted}


def _freeze(change: Change, norms: dict[str, nn.Module]) -> None:
    change.flag(_parameters(norms), False)
    change.hold(norms.items())


def _parameters(norms: dict[str, nn.Module]) -> Iterator[tuple[str, nn.Parameter]]:
    for name, norm in norms.items():
        for own, parameter in norm.named_parameters(recurse=False):
            yield f"{name}.{own}" if name else own, parameter
