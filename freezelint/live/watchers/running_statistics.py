"""Whether the running statistics of norm layers moved. They are small: a copy costs less than digests."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn.modules.batchnorm import _NormBase

from freezelint.live.digests import is_unreadable

Statistics = list[torch.Tensor | None]


def statistics_of(module: _NormBase) -> Statistics:
    """Copies of the running statistics of a layer, None for each that cannot be read, nothing without any."""
    buffers = (module.running_mean, module.running_var)
    return [None if is_unreadable(b) else b.detach().clone() for b in buffers if b is not None]


def moved_since(kept: Iterable[tuple[_NormBase, Statistics]]) -> dict[int, bool | None]:
    """For the `id` of each layer whether its statistics differ from what was kept; None: unknown."""
    found: dict[int, bool | None] = {}
    flags: dict[torch.device, list[tuple[int, torch.Tensor]]] = {}
    for module, before in kept:
        found[id(module)] = None
        buffers = [b for b in (module.running_mean, module.running_var) if b is not None]
        for old, now in zip(before, buffers, strict=False):
            if old is not None and not is_unreadable(now) and old.device == now.device:
                differs = (old != now.detach()).any() if old.shape == now.shape else torch.tensor(True)
                flags.setdefault(differs.device, []).append((id(module), differs))
    for pairs in flags.values():
        for (owner, _), moved in zip(pairs, torch.stack([f for _, f in pairs]).tolist(), strict=True):
            found[owner] = bool(found[owner]) or moved
    return found
