"""Exact statistics of what reaches norm layers, over any number of batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm


class Pooled:
    """Mean and variance per channel, merged batch by batch in double precision (Chan et al. 1979).

    For BatchNorm over all values of all batches, as if they had been one batch; for InstanceNorm the
    mean over the instances of their own means and (unbiased) variances, which is what the layer keeps.
    """

    def __init__(self, norm: nn.Module) -> None:
        self.by_instance = isinstance(norm, _InstanceNorm)
        self._unbatched = _unbatched_dimensions(norm)
        self.batches = 0
        self.count = 0
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None  # summed squared distances from the mean; variances by instance

    def add(self, values: Tensor, channels: int) -> None:
        """Take in one batch, channels in the second dimension. An InstanceNorm may get a single instance."""
        values = values.detach().to(torch.float64 if values.device.type != "mps" else torch.float32)
        if values.ndim == self._unbatched:
            values = values.unsqueeze(0)
        if self.by_instance:
            instances = values.reshape(-1, channels, values[0, 0].numel() if values.ndim > 2 else 1)
            variances, means = torch.var_mean(instances, dim=2, correction=1)
            count, mean, squares = len(instances), means.mean(0), variances.sum(0)
        else:
            flat = values.transpose(0, 1).reshape(channels, -1)
            variance, mean = torch.var_mean(flat, dim=1, correction=0)
            count = flat.shape[1]
            squares = variance * count
        self._merge(count, mean, squares)

    def _merge(self, count: int, mean: Tensor, squares: Tensor) -> None:
        self.batches += 1
        if self.mean is None or self.squares is None:
            self.count, self.mean, self.squares = count, mean, squares
            return
        total = self.count + count
        apart = mean - self.mean
        if not self.by_instance:
            squares = squares + apart.square() * (self.count * count / total)
        self.squares = self.squares + squares
        self.mean = self.mean + apart * (count / total)
        self.count = total

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel; the variance is unbiased, as torch keeps it."""
        if self.mean is None or self.squares is None:
            raise ValueError("no batch was added")
        divisor = self.count if self.by_instance else max(self.count - 1, 1)
        return self.mean, self.squares / divisor

    @property
    def is_finite(self) -> bool:
        """Whether there was neither NaN nor infinity; so where there was no batch."""
        return not self.count or all(bool(torch.isfinite(each).all()) for each in self.moments())

    def write(self, norm: nn.Module) -> None:
        """Make them the running statistics of a layer, if there was any batch."""
        if not self.count:
            return
        mean, variance = self.moments()
        norm.get_buffer("running_mean").copy_(mean)
        norm.get_buffer("running_var").copy_(variance)
        if norm._buffers.get("num_batches_tracked") is not None:
            norm.get_buffer("num_batches_tracked").fill_(self.batches)


def _unbatched_dimensions(norm: nn.Module) -> int | None:
    """How many dimensions the input of an InstanceNorm has when it is a single instance."""
    dimensions = {nn.InstanceNorm1d: 2, nn.InstanceNorm2d: 3, nn.InstanceNorm3d: 4}
    return next((count for kind, count in dimensions.items() if isinstance(norm, kind)), None)
