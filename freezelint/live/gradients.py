"""Whether parameters have a gradient, and whether that is all zeros: one synchronisation, no copies."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from freezelint.evidence import Gradient
from freezelint.live.digests import is_unreadable

_GLANCE = 1024  # elements, spread over a gradient, that nearly always suffice to see that it is not zero


def gradients_of(parameters: Iterable[torch.Tensor], had: set[int]) -> dict[int, Gradient]:
    """The gradient of each parameter, by its `id`. `had`: those that had one before the optimizer ran."""
    found: dict[int, Gradient] = {}
    present: list[tuple[int, torch.Tensor]] = []
    for parameter in parameters:
        gradient = parameter.grad if parameter.is_leaf else None
        if gradient is None:
            found[id(parameter)] = "unknown" if id(parameter) in had else "none"
        else:
            present.append((id(parameter), gradient))
    zero = _zeros([gradient for _, gradient in present])
    for (identity, _), is_zero in zip(present, zero, strict=True):
        found[identity] = "unknown" if is_zero is None else "zero" if is_zero else "nonzero"
    return found


def _zeros(gradients: list[torch.Tensor]) -> list[bool | None]:
    """Whether each tensor is all zeros; only where a glance does not show it, all of the tensor is read."""
    flat = [_flat(gradient) for gradient in gradients]
    found = _all_zero([_sample(tensor) for tensor in flat])
    undecided = [i for i, zero in enumerate(found) if zero and flat[i].numel() > _GLANCE]
    for index, zero in zip(undecided, _all_zero([flat[index] for index in undecided]), strict=True):
        found[index] = zero
    return found


def _sample(flat: torch.Tensor) -> torch.Tensor:
    return flat[:: max(1, flat.numel() // _GLANCE)] if flat.dim() == 1 else flat


def _all_zero(tensors: list[torch.Tensor]) -> list[bool | None]:
    found: list[bool | None] = [None] * len(tensors)
    extremes: dict[tuple[torch.device, torch.dtype], list[tuple[int, torch.Tensor]]] = {}
    for index, tensor in enumerate(tensors):
        if is_unreadable(tensor):
            continue
        if not tensor.numel():
            found[index] = True
            continue
        try:
            ends = _extremes(tensor)
        except (NotImplementedError, RuntimeError):  # a type or a device without these operations
            continue
        extremes.setdefault((ends.device, ends.dtype), []).append((index, ends))
    for pairs in extremes.values():
        nonzero = (torch.stack([ends for _, ends in pairs]) != 0).any(1).tolist()
        for (index, _), is_nonzero in zip(pairs, nonzero, strict=True):
            found[index] = not is_nonzero
    return found


def _extremes(tensor: torch.Tensor) -> torch.Tensor:
    """The smallest and the largest element: both are 0 only where all are. Not a number stays so."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return torch.stack(tensor.aminmax())


def _flat(gradient: torch.Tensor) -> torch.Tensor:
    """The elements in any order, without a copy where there is a way to avoid it."""
    gradient = gradient.detach()
    if gradient.is_sparse:
        return gradient.coalesce().values().flatten()
    if gradient.layout is torch.strided and not gradient.is_contiguous():
        strides = gradient.stride()
        gradient = gradient.permute(sorted(range(gradient.dim()), key=lambda d: -strides[d]))
    return gradient.reshape(-1)
