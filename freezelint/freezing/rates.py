"""Layer-wise learning rates: parameter groups whose rate falls from the output to the input."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from torch import nn
from torch.nn.parameter import is_lazy

from freezelint.freezing.execution import depths
from freezelint.freezing.layers import is_norm, own_parameters
from freezelint.freezing.patterns import unwrapped
from freezelint.freezing.structure import blocks, layers

By: TypeAlias = Literal["block", "layer", "depth"]
Group: TypeAlias = "dict[str, Any]"

# What the name of a group ends with that keeps weight decay from norm layers and biases.
NO_DECAY = " (no decay)"


def layerwise_groups(
    model: nn.Module,
    lr: float,
    decay: float,
    by: By = "block",
    *,
    sample: Any = None,
    weight_decay: float | None = None,
    decay_norms_and_biases: bool = True,
) -> list[Group]:
    """Parameter groups for any torch optimizer: trainable parameters only, the rate `lr * decay**k`.

    `lr` is the rate of what is nearest to the output (k = 0), in the optimizer's units; `decay` is in (0, 1].
    ULMFiT's "divide by 2.6" is `decay=1 / 2.6`. What k counts:

    - `"block"`: blocks from the output (`blocks`), frozen ones included, so that rates do not depend on what
      is frozen;
    - `"layer"`: single layers with weights, each with the norm layers that follow it;
    - `"depth"`: layers with weights on the longest path to the output, by the graph of one forward pass on
      `sample`: what runs side by side gets one rate. Parameters that the output does not depend on get
      the lowest.

    `sample` is one batch as `blocks` takes it; `"depth"` needs it, the others then follow execution order.
    With `decay_norms_and_biases=False` the parameters of norm layers and all vectors and single numbers
    (biases) get groups of their own with `weight_decay=0`. `weight_decay`, if given, is set on the others;
    without it the optimizer's default holds.

    Each group has `params`, `lr` and `name`, in order from input to output. Raises `ValueError` for a rate
    or a decay out of range, an unknown `by`, a missing sample, and a model without trainable parameters.

    Sources: Howard and Ruder 2018 (ULMFiT), discriminative fine-tuning; Loshchilov and Hutter 2019 for weight
    decay apart from the gradient.
    """
    model = unwrapped(model)
    _check(lr, decay, by, sample)
    plain = set() if decay_norms_and_biases else undecayed(model)
    groups: list[Group] = []
    for name, exponent, parameters in _rated(model, by, sample):
        trainable = {n: p for n, p in parameters.items() if p.requires_grad}
        rate = lr * decay**exponent
        weights = [p for p in trainable.values() if id(p) not in plain]
        others = [p for p in trainable.values() if id(p) in plain]
        if weights:
            extra = {} if weight_decay is None else {"weight_decay": weight_decay}
            groups.append({"params": weights, "lr": rate, "name": name, **extra})
        if others:
            groups.append({"params": others, "lr": rate, "name": f"{name}{NO_DECAY}", "weight_decay": 0.0})
    if not groups:
        raise ValueError(f"{type(model).__name__} has no trainable parameter: unfreeze a part of it first")
    return groups


def _check(lr: float, decay: float, by: str, sample: Any) -> None:
    if not lr > 0:
        raise ValueError(f"lr must be positive, and is {lr}")
    if decay > 1:
        raise ValueError(f"decay is the factor from a block to the one before it: write 1 / {decay:g}")
    if not decay > 0:
        raise ValueError(f"decay must lie in (0, 1], and is {decay}; freeze what is not to be trained")
    if by not in ("block", "layer", "depth"):
        raise ValueError(f"by must be 'block', 'layer' or 'depth', and is {by!r}")
    if by == "depth" and sample is None:
        raise ValueError("by='depth' follows one forward pass: pass a batch as `sample`")


def _rated(model: nn.Module, by: By, sample: Any) -> list[tuple[str, int, dict[str, nn.Parameter]]]:
    """Name, exponent and parameters of each group, from input to output."""
    if by == "depth":
        return _by_depth(model, sample)
    parts = blocks(model, sample) if by == "block" else layers(model, sample)
    return [(part.name, len(parts) - 1 - k, part.parameters) for k, part in enumerate(parts)]


def _by_depth(model: nn.Module, sample: Any) -> list[tuple[str, int, dict[str, nn.Parameter]]]:
    found = depths(model, sample)
    deepest = max(found.values(), default=0)
    by_depth: dict[int, dict[str, nn.Parameter]] = {}
    for name, p in model.named_parameters():
        by_depth.setdefault(found.get(name, deepest), {})[name] = p
    return [(f"depth {depth}", depth, by_depth[depth]) for depth in sorted(by_depth, reverse=True)]


def undecayed(model: nn.Module) -> set[int]:
    """The parameters (by id) that weight decay is usually kept from: norm layers and biases.

    Raises `ValueError` for lazy parameters, whose shape nobody knows yet.
    """
    for name, p in model.named_parameters():
        if is_lazy(p):
            raise ValueError(f"`{name}` is lazy and has no shape yet: run one batch through the model first")
    found = {id(p) for p in model.parameters() if p.ndim <= 1}
    for module in model.modules():
        if is_norm(module):
            found.update(id(p) for p in own_parameters(module))
    return found
