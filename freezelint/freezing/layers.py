"""What a module is for our purposes: a norm layer, one with running statistics, an embedding."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)


def has_statistics(module: nn.Module) -> bool:
    """Whether a module keeps running statistics: every BatchNorm, SyncBatchNorm and InstanceNorm that tracks
    them, with or without scale and shift, and whatever else has the two buffers.
    """
    buffers = module._buffers
    return buffers.get("running_mean") is not None and buffers.get("running_var") is not None


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer, torch's or (by its name and its vectors) anybody's."""
    if isinstance(module, _NORMS) or has_statistics(module):
        return True
    own = own_parameters(module)
    return "norm" in type(module).__name__.lower() and bool(own) and all(p.ndim <= 1 for p in own)


def is_embedding(module: nn.Module) -> bool:
    """Whether a module is a table of vectors."""
    return isinstance(module, (nn.Embedding, nn.EmbeddingBag))


def own_parameters(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that a module holds itself, not through a module inside it."""
    return [p for p in module._parameters.values() if p is not None]


def has_parameters(module: nn.Module) -> bool:
    """Whether there is any parameter in a module."""
    return next(module.parameters(), None) is not None
