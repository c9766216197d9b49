"""Stored weights that nobody stored: names and shapes of a model's state dict, filled with noise of a
sensible size.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# Not a multiple of any layer's width: rows cut from the repeated block differ from each other.
_BLOCK = 1_000_003


def filled(shapes: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """A tensor for each entry, the same one for names that are tied (whose entry is the same tensor).

    One block of noise is drawn and then copied, because drawing billions of numbers would take minutes.
    """
    noise = torch.randn(_BLOCK)
    by_tensor: dict[int, Tensor] = {}
    for name, like in shapes.items():
        if id(like) not in by_tensor:
            by_tensor[id(like)] = _filled(name, like, noise, dtype)
    return {name: by_tensor[id(like)] for name, like in shapes.items()}


def _filled(name: str, like: Tensor, noise: Tensor, dtype: torch.dtype) -> Tensor:
    if not like.dtype.is_floating_point:
        return torch.zeros(like.shape, dtype=like.dtype)
    if like.dim() < 2:
        # Scales and variances begin at one, shifts and means at zero.
        of_zero = name.endswith(("bias", "running_mean", "mean"))
        return torch.zeros(like.shape, dtype=dtype) if of_zero else torch.ones(like.shape, dtype=dtype)
    count = like.numel()
    fan_in = count // like.shape[0]
    spread = min(0.05, fan_in**-0.5)
    start = sum(map(ord, name)) % (_BLOCK // 2)
    block = noise[start:]
    drawn = block[:count] if count <= len(block) else block.repeat(-(-count // len(block)))[:count]
    weights: Tensor = (drawn * spread).to(dtype).reshape(like.shape)
    return weights
