"""A small network, its training, and what tests compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

import freezelint


class Net(nn.Module):
    """Two blocks with norm layers, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(self.stem(images)).mean((2, 3)))
        return result


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def loss_of(model: nn.Module) -> torch.Tensor:
    return nn.functional.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.randint(0, 2, (4,)))


def stepping(model: nn.Module, optimizer: Optimizer) -> Callable[[], None]:
    """One step of an ordinary loop."""

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    return step


def train(model: nn.Module, optimizer: Optimizer, steps: int = 3, seed: int = 1) -> None:
    torch.manual_seed(seed)
    step = stepping(model, optimizer)
    for _ in range(steps):
        step()


def audit(model: nn.Module, optimizer: Optimizer, **settings: Any) -> freezelint.Report:
    return freezelint.audit(model, optimizer, stepping(model, optimizer), **settings)


def codes(report: Iterable[Any]) -> list[str]:
    return [each.code for each in report]


def held(optimizer: Optimizer) -> list[torch.Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def assert_twins(one: nn.Module, other: nn.Module) -> None:
    """Bit for bit the same values, statistics included."""
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
