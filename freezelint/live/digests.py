"""Temporary."""

from __future__ import annotations

import torch


def is_unreadable(tensor: torch.Tensor) -> bool:
    return tensor.is_meta or type(tensor).__name__ == "FakeTensor"


def digest(tensor: torch.Tensor) -> torch.Tensor | None:
    if is_unreadable(tensor):
        return None
    return tensor.double().sum().view(torch.int64)
